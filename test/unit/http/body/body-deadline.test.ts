import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { BodyDeadline } from '../../../../lib/http/body/body-deadline.ts'
import { readBody } from '../../../../lib/http/body/body-reading.ts'
import { BodySource } from '../../../../lib/http/body/body-source.ts'
import type { ClientRequest } from '../../../../lib/http/body/client-request.ts'
import { STAYING } from '../../../support/awaited-client.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A client of which the test says what it sends, and why it was given up. */
function scene(): { req: ClientRequest; send: PassThrough; deadline: BodyDeadline; reasons: string[] } {
  const send = new PassThrough({ highWaterMark: 16 })
  const reasons: string[] = []
  const client = { giveUp: (detail: string) => void reasons.push(detail) }
  return { req: send as unknown as ClientRequest, send, deadline: new BodyDeadline(client, 1000), reasons }
}

test('a body that is read gives a client up that sends nothing, and not one that sends a byte now and then', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { req, send, deadline, reasons } = scene()
  const reading = readBody(req, { client: STAYING, deadline, take: () => undefined })
  for (let byte = 0; byte < 50; byte += 1) {
    t.mock.timers.tick(999)
    send.write('x')
    await turn()
  }
  assert.deepEqual(reasons, [])
  t.mock.timers.tick(1000)
  assert.match(reasons.join('\n'), /nothing more .* 1000 ms \(clientTimeout\)$/)
  send.end()
  await reading
  t.mock.timers.tick(100_000)
  assert.equal(reasons.length, 1)
})

test('a body that is read gives nobody up while its reader is busy', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { req, send, deadline, reasons } = scene()
  let taken = (): void => undefined
  const busy = new Promise<void>((resolve) => {
    taken = resolve
  })
  const reading = readBody(req, { client: STAYING, deadline, take: () => busy })
  send.write('x')
  await turn()
  t.mock.timers.tick(100_000)
  assert.deepEqual(reasons, [])
  taken()
  await turn()
  t.mock.timers.tick(1000)
  assert.equal(reasons.length, 1)
  send.end()
  await reading
})

test('a body that streams gives a client up that sends nothing, and not one that sends a byte now and then', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { req, send, deadline, reasons } = scene()
  const source = new BodySource(req, 100, deadline)
  source.resume()
  await turn()
  for (let byte = 0; byte < 50; byte += 1) {
    t.mock.timers.tick(999)
    send.write('x')
    await turn()
  }
  assert.deepEqual(reasons, [])
  t.mock.timers.tick(1000)
  assert.equal(reasons.length, 1)
})

test('a body that streams gives nobody up while the backend takes nothing, nor once it is over', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { req, send, deadline, reasons } = scene()
  const source = new BodySource(req, 100, deadline)
  source.on('data', () => undefined)
  source.pause()
  source.read(0)
  send.write('x'.repeat(90))
  await turn()
  t.mock.timers.tick(100_000)
  assert.deepEqual(reasons, [])
  source.resume()
  send.end('x'.repeat(10))
  await turn()
  await turn()
  t.mock.timers.tick(100_000)
  assert.deepEqual(reasons, [])
})

test('a body that streams gives nobody up after its end or its destruction', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const destroyed = scene()
  const source = new BodySource(destroyed.req, 100, destroyed.deadline)
  source.resume()
  await turn()
  source.destroy()
  await turn()
  t.mock.timers.tick(100_000)
  assert.deepEqual(destroyed.reasons, [])
})
