import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, Socket } from 'node:net'
import { test } from 'node:test'
import { addressesOf } from '../../../../lib/http/request/addresses.ts'
import { listen } from '../../../support/listen.ts'

test('gives both ends of a connection, the same each time', async () => {
  const server = createServer()
  await using listening = await listen(server)
  const client = connect(listening.port, '127.0.0.1')
  const [socket] = (await once(server, 'connection')) as [Socket]
  try {
    const addresses = addressesOf(socket)
    const remotePort = String(client.localPort)
    const ends = { peer: '127.0.0.1', remoteAddress: '127.0.0.1', remotePort, serverAddress: '127.0.0.1' }
    assert.deepEqual(addresses, ends)
    assert.equal(addressesOf(socket), addresses)
  } finally {
    client.destroy()
    socket.destroy()
  }
})

test('sees an address that other middleware has set since', () => {
  const socket = new Socket()
  for (const [given, shown] of [
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
  ]) {
    Object.defineProperty(socket, 'remoteAddress', { value: given, configurable: true })
    const { peer, remoteAddress } = addressesOf(socket)
    assert.deepEqual([peer, remoteAddress], [given, shown])
  }
})

test('has none on a unix socket', () => {
  assert.deepEqual(addressesOf(new Socket()), { peer: '', remoteAddress: '', remotePort: '', serverAddress: '' })
})
