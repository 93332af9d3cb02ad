import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../support/backend.ts'
import { serve } from '../support/gateway.ts'
import { ask } from '../support/http-client.ts'

/** Far beyond what a refused connection takes; reached only by a request that hangs. */
const DEADLINE = 10_000

test('a logger that throws disturbs no request, not even while a backend goes down', async () => {
  const warnings: string[] = []
  const listen = (warning: Error): void => void warnings.push(warning.name)
  process.on('warning', listen)
  let lines = 0
  const fail = (): never => {
    lines += 1
    throw new Error('the log is full')
  }
  const gateway = await serve({
    server: { address: `127.0.0.1:${await freePort()}`, maxFails: 1, failTimeout: '1h' },
    scriptFilename: '/srv/app.php',
    match: /^/,
    logger: { error: fail, warn: fail, info: fail },
  })
  try {
    const get = async (): Promise<number> => (await ask(gateway.url, { signal: AbortSignal.timeout(DEADLINE) })).status
    assert.equal(await get(), 502)
    assert.equal(gateway.handler.status().servers[0]?.state, 'down')
    // It is let through alone to try the backend, and must give that right back.
    assert.equal(await get(), 502)
    assert.equal(await get(), 502)
    assert.ok(lines >= 4)
    assert.deepEqual(warnings, ['FastCgiLoggerWarning'])
  } finally {
    process.off('warning', listen)
    await gateway.close()
  }
})
