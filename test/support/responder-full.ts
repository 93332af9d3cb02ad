import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

/** A server that listens and does not accept. */
export interface Full {
  readonly address: string
  /** Accepts from now on and answers every connection that sends something with `reply`. */
  release(): void
  stop(): Promise<void>
}

// A thread of its own: an event loop that is asleep is the only one that does not accept.
const LISTENER = `
const { parentPort, workerData } = require('node:worker_threads')
const net = require('node:net')
const gate = new Int32Array(workerData.gate)
const server = net.createServer((socket) => {
  socket.on('error', () => socket.destroy())
  socket.once('data', () => socket.write(workerData.reply))
})
const where = workerData.path === null ? { port: 0, host: '127.0.0.1' } : { path: workerData.path }
server.listen({ ...where, backlog: 1 }, () => {
  parentPort.postMessage(workerData.path === null ? server.address().port : 0)
  Atomics.wait(gate, 0, 0)
})
`

/** Connections that wait in a backlog of 1: Linux lets one more in than it was told. */
const WAITING = 2

/**
 * A server whose backlog is full: over a unix socket a connect fails with EAGAIN at once, over TCP it hangs.
 *
 *     const full = await startFull({ over: 'unix', reply: answer('A: b\r\n\r\nat last') })
 *     …; full.release(); …; await full.stop()
 */
export async function startFull(options: { over?: 'unix' | 'tcp'; reply?: Uint8Array } = {}): Promise<Full> {
  const directory = options.over === 'tcp' ? null : await mkdtemp(join(tmpdir(), 'fcgi-full-'))
  const path = directory === null ? null : join(directory, 's')
  const gate = new SharedArrayBuffer(4)
  const reply = options.reply ?? Buffer.alloc(0)
  const worker = new Worker(LISTENER, { eval: true, execArgv: [], workerData: { gate, path, reply } })
  const [port] = (await once(worker, 'message')) as [number]
  const target = path === null ? { port, host: '127.0.0.1' } : { path }
  const fillers: Socket[] = []
  for (let index = 0; index < WAITING; index += 1) {
    const socket = connect(target)
    await once(socket, 'connect')
    socket.on('error', () => socket.destroy())
    fillers.push(socket)
  }
  const release = (): void => {
    Atomics.store(new Int32Array(gate), 0, 1)
    Atomics.notify(new Int32Array(gate), 0)
  }
  return {
    address: path ?? `127.0.0.1:${port}`,
    release,
    async stop() {
      release()
      for (const socket of fillers) socket.destroy()
      await worker.terminate()
      if (directory !== null) await rm(directory, { recursive: true, force: true })
    },
  }
}
