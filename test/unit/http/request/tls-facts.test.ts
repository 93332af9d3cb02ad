import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { connect, createServer, type TLSSocket } from 'node:tls'
import type { TlsFacts } from '../../../../lib/cgi/facts.ts'
import { tlsFacts } from '../../../../lib/http/request/tls-facts.ts'
import { listen } from '../../../support/listen.ts'

/** Keys made for these tests alone, valid for a hundred years. */
function pem(name: string): Buffer {
  return readFileSync(new URL(`../../../fixtures/tls/${name}`, import.meta.url))
}

const serverKeys = { key: pem('server.key'), cert: pem('server.crt') }
const clientKeys = { key: pem('client.key'), cert: pem('client.crt') }

async function factsOfHandshake(trustsClient: boolean, sendsCertificate: boolean): Promise<TlsFacts | undefined> {
  const ca = trustsClient ? { ca: clientKeys.cert } : {}
  const server = createServer({ ...serverKeys, ...ca, requestCert: true, rejectUnauthorized: false })
  const seen = new Promise<TLSSocket>((resolve) => server.once('secureConnection', resolve))
  await using listening = await listen(server)
  const client = connect({
    port: listening.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ...(sendsCertificate ? clientKeys : {}),
  })
  try {
    const socket = await seen
    const facts = tlsFacts(socket)
    assert.equal(tlsFacts(socket), facts)
    return facts
  } finally {
    client.destroy()
  }
}

test('describes a verified client as mod_ssl does', async () => {
  const facts = await factsOfHandshake(true, true)
  assert.equal(facts?.protocol, 'TLSv1.3')
  assert.match(facts?.cipher ?? '', /^TLS_/)
  assert.deepEqual(facts?.client, {
    subject: 'CN=Zoë,O=Example\\, Inc.,C=DE',
    issuer: 'CN=Zoë,O=Example\\, Inc.,C=DE',
    commonName: 'Zoë',
    serial: '0B',
    validFrom: 'Jan  1 00:00:00 2020 GMT',
    validTo: 'Jan  1 00:00:00 2120 GMT',
  })
})

test('says nothing of a client that was not verified', async () => {
  assert.equal((await factsOfHandshake(false, true))?.client, undefined)
})

test('says nothing of a client without a certificate', async () => {
  assert.equal((await factsOfHandshake(true, false))?.client, undefined)
})

test('says nothing of a socket without TLS', () => {
  assert.equal(tlsFacts(new Socket()), undefined)
  assert.equal(tlsFacts(undefined), undefined)
})
