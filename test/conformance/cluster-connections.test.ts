import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { it } from 'node:test'
import { startCluster } from '../support/cluster-process.ts'
import { CountedConnections } from '../support/counted-connections.ts'
import { phpRoot } from '../support/gateway.ts'
import { ask } from '../support/http-client.ts'
import { startPhpFpm } from '../support/php-fpm.ts'
import { privateDirectory } from '../support/private-directory.ts'
import { backend } from '../support/require-backend.ts'

/** Stands before a backend and counts. php-fpm's own figures say of a child that it is busy when its connection is long closed. */
async function startCounter(
  backendSocket: string,
): Promise<{ address: string; counted: CountedConnections; stop: () => void }> {
  const counted = new CountedConnections()
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let isOpen = true
    const onward = connect({ path: backendSocket, allowHalfOpen: true })
    counted.accept(() => isOpen)
    sockets.add(socket)
    socket.once('end', () => {
      isOpen = false
    })
    socket.once('close', () => {
      isOpen = false
      sockets.delete(socket)
      onward.destroy()
    })
    socket.pipe(onward).pipe(socket)
    for (const each of [socket, onward]) each.on('error', () => socket.destroy())
  })
  const directory = privateDirectory('counter')
  const address = join(directory.path, 's')
  await new Promise<void>((resolve) => server.listen(address, resolve))
  const stop = (): void => {
    server.close()
    for (const socket of sockets) socket.destroy()
    directory.remove()
  }
  return { address, counted, stop }
}

/** Longer than the turns of the event loop after which a connection is counted. */
const BUSY = 10

backend('php-fpm').describe('php-fpm behind 1, 2 and 4 workers of a cluster', () => {
  for (const keepAlive of [false, true]) {
    it(`sees maxConnections connections at most, keepAlive ${keepAlive ? 'on' : 'off'}`, async () => {
      const fpm = await startPhpFpm({ children: 4 })
      const counter = await startCounter(fpm.address)
      const server = { address: counter.address, maxConnections: 4 }
      const cluster = await startCluster({ root: phpRoot, server, keepAlive, queueTimeout: 0 })
      try {
        for (const workers of [1, 2, 4]) {
          await Promise.all(Array.from({ length: workers - cluster.workers.length }, () => cluster.fork()))
          const answers = await Promise.all(
            cluster.workers.flatMap(({ url }) =>
              Array.from({ length: 80 }, async () => (await ask(`${url}/sleep.php?ms=${BUSY}`)).text),
            ),
          )
          assert.deepEqual(new Set(answers), new Set([`slept ${BUSY} ms\n`]))
          assert.equal(counter.counted.most, 4)
        }
        assert.deepEqual(cluster.warnings, [])
      } finally {
        await cluster.stop()
        counter.stop()
        await fpm.stop()
      }
    })
  }
})
