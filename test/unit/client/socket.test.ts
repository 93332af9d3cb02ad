import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { parseAddress } from '../../../lib/client/address.ts'
import { openSocket } from '../../../lib/client/socket.ts'
import type { FastCgiError } from '../../../lib/errors.ts'
import { staysQuiet } from '../../support/quiet-process.ts'
import { startFake } from '../../support/responder.ts'
import { startFull } from '../../support/responder-full.ts'

type Outcome = { readonly error: FastCgiError | null; readonly socket: Socket | null }

function opening(
  address: string,
  timeout: number,
): { outcome: Promise<Outcome>; cancel: () => void; count: () => number } {
  let calls = 0
  let cancel = (): void => undefined
  const outcome = new Promise<Outcome>((resolve) => {
    cancel = openSocket(parseAddress(address), { timeout }, (error, socket) => {
      calls += 1
      resolve({ error, socket })
    })
  })
  return { outcome, cancel, count: () => calls }
}

describe('openSocket', { timeout: 60_000 }, () => {
  staysQuiet()

  for (const over of ['unix', 'tcp'] as const) {
    it(`hands over an open ${over} socket without listeners and timers of its own`, async () => {
      const fake = await startFake(() => undefined, { over })
      const { outcome, count } = opening(fake.address, 5000)
      const { error, socket } = await outcome
      assert.equal(error, null)
      assert.ok(socket !== null && !socket.connecting && !socket.destroyed)
      assert.equal(socket.listenerCount('error') + socket.listenerCount('connect'), 0)
      socket.destroy()
      await fake.until(() => fake.connections.open === 0 && fake.connections.count === 1)
      assert.equal(count(), 1)
      await fake.stop()
    })
  }

  it('says that nothing is there', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fcgi-none-'))
    const { error } = await opening(join(directory, 's'), 5000).outcome
    assert.equal(error?.code, 'ERR_FCGI_CONNECT')
    assert.match(error.detail, /No socket/)
    await rm(directory, { recursive: true })

    const fake = await startFake(() => undefined, { over: 'tcp' })
    await fake.stop()
    const refused = await opening(fake.address, 5000).outcome
    assert.equal(refused.error?.code, 'ERR_FCGI_CONNECT')
    assert.match(refused.error.detail, /Nothing listens/)
  })

  it('waits where the backlog of a unix socket is full, and gets in when there is room', async () => {
    const full = await startFull({ over: 'unix' })
    const { outcome, count } = opening(full.address, 30_000)
    await wait(60)
    assert.equal(count(), 0)
    full.release()
    const { error, socket } = await outcome
    assert.equal(error, null)
    socket?.destroy()
    await full.stop()
  })

  for (const over of ['unix', 'tcp'] as const) {
    it(`gives up when the backlog of a ${over} socket stays full`, async () => {
      const full = await startFull({ over })
      const { outcome, count } = opening(full.address, 80)
      const { error } = await outcome
      assert.equal(error?.code, 'ERR_FCGI_CONNECT_TIMEOUT')
      assert.match(error.detail, /did not accept a connection within 80 ms.*listen\.backlog/)
      full.release()
      await wait(60)
      assert.equal(count(), 1)
      await full.stop()
    })
  }

  it('waits for ever with a timeout of 0', async (t) => {
    const full = await startFull({ over: 'tcp' })
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { cancel, count } = opening(full.address, 0)
    t.mock.timers.tick(2 ** 31 - 2)
    assert.equal(count(), 0)
    cancel()
    t.mock.timers.reset()
    await full.stop()
  })

  it('is silent once it is cancelled, whatever it was doing', async () => {
    const fake = await startFake(() => undefined)
    const connecting = opening(fake.address, 5000)
    connecting.cancel()
    const missing = opening(`${fake.address}-none`, 5000)
    missing.cancel()
    const full = await startFull({ over: 'unix' })
    const pausing = opening(full.address, 5000)
    await wait(20)
    pausing.cancel()
    pausing.cancel()
    const hanging = await startFull({ over: 'tcp' })
    const waiting = opening(hanging.address, 40)
    waiting.cancel()
    full.release()
    await wait(100)
    for (const one of [connecting, missing, pausing, waiting]) assert.equal(one.count(), 0)
    await Promise.all([full.stop(), hanging.stop(), fake.stop()])
  })
})
