import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { FastCgiError, FastCgiOptions, GatewayStatus, ServerOptions } from '../../lib/index.ts'
import { BREAKAGES, type BrokenServer } from '../support/broken-server.ts'
import { type Gateway, phpRoot, serve } from '../support/gateway.ts'
import { type Answer, ask } from '../support/http-client.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'

const MAX_FAILS = 2

/** Of the broken one. */
const MAX_CONNECTIONS = 4

/** So short that a test can wait for it; milliseconds. */
const FAIL_TIMEOUT = 200

/** Longer than any test. */
const NEVER = '1h'

/** The good ones answer within it, however loaded the machine is; milliseconds. */
const READ_TIMEOUT = 1000

backend('php-fpm').describe('a backend that', () => {
  let good: readonly PhpFpm[]

  before(async () => {
    good = await Promise.all([startPhpFpm(), startPhpFpm()])
  })
  after(() => Promise.all(good.map((fpm) => fpm.stop())))

  const besideGood = (broken: BrokenServer, options: Partial<ServerOptions>): Promise<Gateway & AsyncDisposable> =>
    gatewayBefore(broken, options, good)

  for (const { what, status, statusWithRestarts, transports, start } of BREAKAGES) {
    for (const transport of transports) {
      it(`${what} fails maxFails requests beside others, and is left alone then (${transport})`, async () => {
        await using broken = await start(transport)
        await using gateway = await besideGood(broken, { failTimeout: NEVER })
        const answers: Answer[] = []
        for (let turn = 0; turn < 15; turn += 1) answers.push(await get(gateway))
        const failed = answers.filter((answer) => answer.status !== 200)
        assert.deepEqual(
          failed.map((answer) => answer.status),
          status === null ? [] : Array(MAX_FAILS).fill(status),
        )
        assert.equal(statusOf(gateway).state, 'down')
        assert.equal(statusOf(gateway).failures, MAX_FAILS)
        assert.ok((broken.connections ?? 0) <= MAX_FAILS)
      })

      it(`${what} fails no more of many clients than were with it when it went down (${transport})`, async () => {
        await using broken = await start(transport)
        await using gateway = await besideGood(broken, { failTimeout: NEVER, restarts: true })
        const answers = await getMany(gateway, 30)
        const { state, failures } = statusOf(gateway)
        assert.equal(state, 'down')
        assert.ok(failures <= MAX_FAILS * MAX_CONNECTIONS, `${failures} attempts`)
        const failed = answers.filter((answer) => answer.status !== 200)
        assert.equal(failed.length, statusWithRestarts === null ? 0 : failures)
        const later = await getMany(gateway, 30)
        assert.deepEqual(
          later.filter((answer) => answer.status !== 200),
          [],
        )
        assert.equal(statusOf(gateway).failures, failures)
      })

      it(`${what} costs one request each failTimeout, and is back within it (${transport})`, async () => {
        await using broken = await start(transport)
        await using gateway = await besideGood(broken, { failTimeout: FAIL_TIMEOUT })
        for (let turn = 0; turn < 3 * MAX_FAILS; turn += 1) await get(gateway)
        assert.notEqual(statusOf(gateway).state, 'up')
        const [began, before] = [performance.now(), statusOf(gateway).failures]
        while (performance.now() - began < 3 * FAIL_TIMEOUT) await get(gateway)
        const most = 1 + (performance.now() - began) / FAIL_TIMEOUT
        const probes = statusOf(gateway).failures - before
        assert.ok(probes >= 1 && probes <= most, `${probes} probes, at most ${most}`)
        const fpm = await broken.mend()
        await wait(FAIL_TIMEOUT + 50)
        assert.ok(fpm.processes().includes(Number((await get(gateway)).text)), 'the first request after failTimeout')
        assert.equal(statusOf(gateway).state, 'up')
      })

      it(`${what} alone is tried by one request at a time, and is back with the first answer (${transport})`, async () => {
        await using broken = await start(transport)
        await using gateway = await gatewayBefore(broken, { failTimeout: NEVER }, [], { retries: 0 })
        for (let turn = 0; turn < MAX_FAILS; turn += 1) assert.equal((await get(gateway)).status, status ?? 502)
        assert.equal(statusOf(gateway).state, 'down')
        const answers = await getMany(gateway, 20)
        const refused = answers.filter((answer) => answer.status === 503)
        assert.equal(refused.length + statusOf(gateway).failures - MAX_FAILS, answers.length)
        const down = gateway.errors.filter((error) => (error as FastCgiError).code === 'ERR_FCGI_DOWN')
        assert.equal(down.length, refused.length)
        for (const error of down) assert.match((error as FastCgiError).headers['Retry-After'] ?? '', /^\d+$/)
        if (status === 504) assert.equal(refused.length, answers.length - 1)
        await broken.mend()
        assert.equal((await get(gateway)).status, 200)
        assert.equal(statusOf(gateway).state, 'up')
      })
    }
  }
})

/** The broken one comes first, each has its turn, and what fails is not tried again where that is not safe. */
async function gatewayBefore(
  { address }: BrokenServer,
  options: Partial<ServerOptions>,
  good: readonly PhpFpm[],
  settings: FastCgiOptions = {},
): Promise<Gateway & AsyncDisposable> {
  const gateway = await serve({
    root: phpRoot,
    balance: 'round-robin',
    keepAlive: true,
    readTimeout: READ_TIMEOUT,
    servers: [
      { name: 'broken', address, maxFails: MAX_FAILS, maxConnections: MAX_CONNECTIONS, ...options },
      ...good.map((fpm, index) => ({ name: `good${index}`, address: fpm.address, maxConnections: 4 })),
    ],
    ...settings,
  })
  return { ...gateway, [Symbol.asyncDispose]: () => gateway.close() }
}

function get({ url }: Gateway): Promise<Answer> {
  return ask(`${url}/process.php`)
}

function getMany(gateway: Gateway, requests: number): Promise<Answer[]> {
  return Promise.all(Array.from({ length: requests }, () => get(gateway)))
}

function statusOf({ handler }: Gateway): GatewayStatus['servers'][number] {
  const status = handler.status().servers.find(({ server }) => server === 'broken')
  return status ?? assert.fail('The server is not there')
}
