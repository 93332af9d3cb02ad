import assert from 'node:assert/strict'
import cluster, { type Worker } from 'node:cluster'
import { afterEach, describe, it } from 'node:test'
import { Worker as Thread } from 'node:worker_threads'
import { installDealer } from '../../../lib/cluster/primary.ts'

/** A worker as the primary knows it, without a process. */
class StandIn {
  readonly id: number
  readonly sent: unknown[] = []
  dead = false
  connected = true

  constructor(id: number) {
    this.id = id
    Object.assign(cluster.workers ?? {}, { [id]: this })
  }

  isDead(): boolean {
    return this.dead
  }

  isConnected(): boolean {
    return this.connected
  }

  send(message: unknown): void {
    this.sent.push(message)
  }

  says(message: unknown): void {
    cluster.emit('message', this as unknown as Worker, message)
  }

  joins(holder: string, total: number): void {
    this.says({ type: 'express-fastcgi:join', holder, key: '/run/php.sock', total, held: 0 })
  }

  ends(event: 'disconnect' | 'exit'): void {
    cluster.emit(event, this as unknown as Worker)
  }
}

afterEach(() => {
  for (const id of Object.keys(cluster.workers ?? {})) {
    cluster.emit('exit', { id: Number(id) } as Worker)
    delete cluster.workers?.[id]
  }
})

describe('installDealer()', () => {
  it('tells workers that are there already, and is of effect once, with two copies of the package too', async () => {
    const worker = new StandIn(7)
    installDealer()
    installDealer()
    const copy = await import(`${new URL('../../../lib/cluster/primary.ts', import.meta.url).href}?copy`)
    copy.installDealer()
    assert.notEqual(copy.installDealer, installDealer)
    for (const event of ['message', 'disconnect', 'exit']) assert.equal(cluster.listenerCount(event), 1, event)
    assert.deepEqual(worker.sent, [{ type: 'express-fastcgi:deal' }])
  })

  it('deals to a worker that asks, and leaves the messages of the application alone', () => {
    const worker = new StandIn(7)
    for (const message of [null, 'join', 7, { kind: 'join' }, { type: 'join' }, { type: 'express-fastcgi:join' }]) {
      worker.says(message)
    }
    assert.deepEqual(worker.sent, [])
    worker.joins('a', 8)
    assert.deepEqual(worker.sent, [{ type: 'express-fastcgi:grant', holder: 'a', places: 8 }])
  })

  it('deals nothing to a worker whose last words are read after its end', () => {
    const [gone, next] = [new StandIn(7), new StandIn(8)]
    gone.dead = true
    gone.ends('exit')
    gone.joins('a', 8)
    delete cluster.workers?.[7]
    next.joins('b', 8)
    assert.deepEqual([gone.sent, next.sent], [[], [{ type: 'express-fastcgi:grant', holder: 'b', places: 8 }]])
  })

  it('tells nothing to a worker whose channel is closing', () => {
    const leaving = new StandIn(7)
    leaving.joins('a', 8)
    leaving.connected = false
    new StandIn(8).joins('b', 8)
    assert.deepEqual(leaving.sent, [{ type: 'express-fastcgi:grant', holder: 'a', places: 8 }])
  })

  it('keeps what a worker has when its channel closes, and takes it when the worker ends', () => {
    const [leaving, other] = [new StandIn(7), new StandIn(8)]
    leaving.joins('a', 8)
    leaving.connected = false
    other.joins('b', 8)
    leaving.ends('disconnect')
    other.says({ type: 'express-fastcgi:want', holder: 'b', places: 4 })
    assert.deepEqual(other.sent.slice(1), [{ type: 'express-fastcgi:deny', holder: 'b', places: 4 }])
    leaving.ends('exit')
    other.says({ type: 'express-fastcgi:want', holder: 'b', places: 4 })
    assert.deepEqual(other.sent.slice(2), [{ type: 'express-fastcgi:grant', holder: 'b', places: 4 }])
    assert.equal(leaving.sent.length, 1)
  })

  it('does nothing in a worker thread', async () => {
    const module = new URL('../../../lib/cluster/primary.ts', import.meta.url).href
    // Threads do not inherit the loader of TypeScript.
    const source = `
      const { parentPort } = require('node:worker_threads')
      import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))})
        .then(({ tsImport }) => tsImport(${JSON.stringify(module)}, ${JSON.stringify(import.meta.url)}))
        .then(({ installDealer }) => {
          installDealer()
          parentPort.postMessage(require('node:cluster').listenerCount('message'))
        })`
    const thread = new Thread(source, { eval: true })
    const listeners = await new Promise((resolve, reject) => {
      thread.once('message', resolve)
      thread.once('error', reject)
    })
    await thread.terminate()
    assert.equal(listeners, 0)
  })
})
