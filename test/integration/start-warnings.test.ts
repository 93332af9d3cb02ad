import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fastcgi } from '../../lib/index.ts'

test('fastcgi() and reload() warn of a backend that others may reach, once each, and serve all the same', async () => {
  const heard: string[] = []
  const logger = { error: () => undefined, info: () => undefined, warn: (message: string) => void heard.push(message) }
  const options = { root: '.', server: '192.0.2.7:9000', logger }
  const handler = fastcgi(options)
  try {
    assert.equal(heard.length, 1)
    assert.match(heard[0] ?? '', /192\.0\.2\.7:9000, which is not loopback/)
    handler.reload({ ...options, server: '127.0.0.1:9000' })
    assert.equal(heard.length, 1)
    handler.reload(options)
    assert.equal(heard.length, 2)
  } finally {
    await handler.close()
  }
})

test('fastcgi() and reload() warn of servers that have one address, and serve all the same', async () => {
  const heard: string[] = []
  const logger = { error: () => undefined, info: () => undefined, warn: (message: string) => void heard.push(message) }
  const [server, twin] = ['one', 'two'].map((name) => ({ name, address: '127.0.0.1:9000' }))
  assert.ok(server !== undefined && twin !== undefined)
  const handler = fastcgi({ root: '.', servers: [server, twin], logger })
  try {
    assert.equal(heard.length, 1)
    assert.match(heard[0] ?? '', /^The servers "one" and "two" have the same address, 127\.0\.0\.1:9000/)
    handler.reload({ root: '.', servers: [server], logger })
    assert.equal(heard.length, 1)
  } finally {
    await handler.close()
  }
})
