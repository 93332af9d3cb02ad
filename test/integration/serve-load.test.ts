import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { documentTree } from '../support/document-tree.ts'
import { eventually } from '../support/eventually.ts'
import { ask } from '../support/http-client.ts'
import { type Fake, startFake } from '../support/responder.ts'
import { startServe } from '../support/serve-process.ts'
import { configOf, reloaded, reloadsOf } from '../support/served-config.ts'

/** Clients that send one request after the other. */
interface Clients {
  /** Resolves when each has been answered twice from now on. */
  round(): Promise<void>
  /** Resolves with what every answer said. */
  stop(): Promise<readonly string[]>
}

/** Half of them send POSTs, which no gateway may send again. */
function startClients(url: string, count: number): Clients {
  const texts: string[] = []
  const answered = Array.from({ length: count }, () => 0)
  let stopped = false
  const run = async (index: number): Promise<void> => {
    const question = index % 2 === 0 ? {} : { method: 'POST', body: 'x'.repeat(1000) }
    while (!stopped) {
      const { status, text } = await ask(`${url}/${index}`, question)
      texts.push(`${status} ${text}`)
      answered[index] = (answered[index] ?? 0) + 1
    }
  }
  const running = Promise.all(answered.map((_, index) => run(index)))
  return {
    async round() {
      const before = [...answered]
      const done = (): boolean => answered.every((times, index) => times >= (before[index] ?? 0) + 2)
      await Promise.race([running, eventually('each is answered', done)])
    },
    async stop() {
      stopped = true
      await running
      return texts
    },
  }
}

function startNamed(name: string): Promise<Fake> {
  return startFake(async (request) => {
    const body = await request.body()
    await request.answer(`Content-Type: text/plain\r\n\r\n${name} ${body.length}`)
  })
}

describe('20 clients of serve --watch', () => {
  for (const workers of ['1', '2']) {
    it(`lose no request in 10 changes of the file and 10 SIGHUPs, with ${workers} worker(s)`, async () => {
      const [a, b] = [await startNamed('a'), await startNamed('b')]
      const tree = documentTree()
      const file = tree.write('fastcgi.conf', configOf(a.address))
      try {
        await using served = await startServe(['--config', file, '--watch', '--workers', workers])
        const clients = startClients(served.url, 20)
        for (let change = 1; change <= 10; change += 1) {
          await clients.round()
          tree.write('fastcgi.conf', configOf((change % 2 === 0 ? a : b).address))
          await reloaded(served, 2 * change - 1)
          await clients.round()
          served.kill('SIGHUP')
          await reloaded(served, 2 * change)
        }
        const texts = await clients.stop()
        assert.deepEqual([...new Set(texts)].sort(), ['200 a 0', '200 a 1000', '200 b 0', '200 b 1000'])
        assert.equal(a.requests.length + b.requests.length, texts.length)
        assert.equal(reloadsOf(served), 20)
        assert.doesNotMatch(served.output(), /ERR_|refused|broken off|replaced/)
      } finally {
        for (const fake of [a, b]) await fake.stop()
        tree.remove()
      }
    })
  }
})
