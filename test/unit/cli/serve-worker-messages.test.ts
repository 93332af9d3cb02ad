import assert from 'node:assert/strict'
import { it } from 'node:test'
import { packSetup, unpackSetup } from '../../../lib/cli/serve-worker-messages.ts'
import { readConfig } from '../../../lib/index.ts'
import { documentTree } from '../../support/document-tree.ts'

it('a setup survives a channel of JSON, with regular expressions and all that a file can say', () => {
  const tree = documentTree()
  const file = tree.write(
    'fastcgi.conf',
    `[FASTCGI]
	TrustForwarded 10.0.0.0/8
	Workers 2
[FASTCGI_SERVER]
	ServerName php
	ServerAddr 127.0.0.1:9000
	MaxRequests unlimited
	HealthCheck ping=/ping interval=1s
[FASTCGI_LOCATION]
	ServerNames php
	Match \\.php$ ^/[[:alpha:]]+$
	Param A b c
	Param EMPTY "x"
	Index Off
	BodyLimit 10m
	HideHeaders X-Powered-By
`,
  )
  const { options } = readConfig(file)
  tree.remove()
  const { label, options: unpacked } = unpackSetup(JSON.parse(JSON.stringify(packSetup({ label: null, options }))))
  assert.equal(label, null)
  assert.deepStrictEqual(unpacked, options)
  assert.ok([unpacked.locations?.[0]?.match].flat()[0] instanceof RegExp)
})
