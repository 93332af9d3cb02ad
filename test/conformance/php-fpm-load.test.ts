import assert from 'node:assert/strict'
import { it } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { phpRoot, serve } from '../support/gateway.ts'
import { ask } from '../support/http-client.ts'
import { startPhpFpm } from '../support/php-fpm.ts'
import { backend } from '../support/require-backend.ts'

backend('php-fpm').describe('php-fpm with 4 children and a listen.backlog of 4', () => {
  for (const keepAlive of [false, true]) {
    for (const listen of ['unix', 'tcp'] as const) {
      it(`answers 200 concurrent requests over ${listen}, keepAlive ${keepAlive ? 'on' : 'off'}`, async () => {
        // TCP has no EAGAIN: the kernel drops what a full backlog does not take, and tries again after seconds.
        const fpm = await startPhpFpm({ listen, children: 4, backlog: listen === 'unix' ? 4 : 128 })
        const gateway = await serve({
          root: phpRoot,
          server: { address: fpm.address, maxConnections: 64, idleTimeout: 200 },
          keepAlive,
        })
        try {
          const answers = await Promise.all(
            Array.from({ length: 200 }, (_, number) => ask(`${gateway.url}/sleep.php?ms=${number % 20}`)),
          )
          const bad = answers.filter(({ status }) => status !== 200).map(({ status, text }) => `${status} ${text}`)
          assert.deepEqual(bad, [])
          for (const [number, { text }] of answers.entries()) assert.equal(text, `slept ${number % 20} ms\n`)
          await eventually('all children are idle', async () => (await fpm.status()).activeProcesses === 0)
        } finally {
          await gateway.close()
          await fpm.stop()
        }
      })
    }

    it(`answers 200 concurrent POSTs over unix, keepAlive ${keepAlive ? 'on' : 'off'}`, async () => {
      const fpm = await startPhpFpm({ children: 4, backlog: 4 })
      const gateway = await serve({ root: phpRoot, server: { address: fpm.address, maxConnections: 64 }, keepAlive })
      try {
        const answers = await Promise.all(
          Array.from({ length: 200 }, (_, number) =>
            ask(`${gateway.url}/echo.php`, { method: 'POST', body: `${number} `.repeat(500) }),
          ),
        )
        for (const [number, { status, text }] of answers.entries()) {
          assert.equal(status, 200, text)
          assert.equal(text, `${number} `.repeat(500))
        }
      } finally {
        await gateway.close()
        await fpm.stop()
      }
    })
  }

  it('answers ten rounds of six requests with keepAlive although 2 children serve 8 connections', async () => {
    const fpm = await startPhpFpm({ children: 2, backlog: 4 })
    const gateway = await serve({ root: phpRoot, server: { address: fpm.address, maxConnections: 8 }, keepAlive: true })
    try {
      for (let round = 0; round < 10; round++) {
        const answers = await Promise.all(Array.from({ length: 6 }, () => ask(`${gateway.url}/process.php`)))
        assert.deepEqual(
          answers.map(({ status }) => status),
          [200, 200, 200, 200, 200, 200],
        )
      }
    } finally {
      await gateway.close()
      await fpm.stop()
    }
  })
})
