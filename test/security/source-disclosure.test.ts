import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect as connectSocket, type Server } from 'node:net'
import { after, before, describe, test } from 'node:test'
import connect from 'connect'
import express from 'express'
import express4 from 'express4'
import fc from 'fast-check'
import { requestFacts } from '../../lib/http/request/request-facts.ts'
import { Resolver } from '../../lib/http/resolution/resolution.ts'
import type { ResolvableLocation } from '../../lib/http/resolution/site.ts'
import { documentTree } from '../support/document-tree.ts'
import { phpLocation } from '../support/facts.ts'
import { type Listening, listen } from '../support/listen.ts'

// What is guarded: with express.static behind us, no spelling of a script's name gets its source as text. The same mistake
// elsewhere: CVE-2000-0778 (IIS, `Translate: f`), CVE-2024-40725 and CVE-2024-39884 (Apache, handlers lost for some targets).

const SOURCE = '<?php $password = "secret";'
const tree = documentTree()
for (const name of [
  'index.php',
  'sub/index.php',
  'sub/config.php',
  'é.php',
  'UPPER.PHP',
  'a b.php',
  'user@host/x.php',
  'p%70.php',
]) {
  tree.write(name, SOURCE)
}
tree.write('style.css', 'body {}')
after(() => tree.remove())

type Handler = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/** Answers what is ours with `ours`, what is refused with its status, and passes the rest on. */
function guard(given: Partial<ResolvableLocation>): Handler {
  const resolver = new Resolver([phpLocation(tree.root, given)])
  return async (req, res, next) => {
    try {
      const { kind } = await resolver.resolve(requestFacts(req, null))
      if (kind !== 'pass') return void res.end('ours')
    } catch (error) {
      res.statusCode = (error as { status: number }).status
      return void res.end((error as { code: string }).code)
    }
    next()
  }
}

const pass: Handler = (_req, _res, next) => next()

const hosts: Readonly<Record<string, (handler: Handler, mount: string) => Server>> = {
  'Express 5': (handler, mount) => createServer(express().use(mount, handler, express.static(tree.root))),
  'Express 4': (handler, mount) => createServer(express4().use(mount, handler, express4.static(tree.root))),
  Connect: (handler, mount) =>
    createServer(
      connect()
        .use(mount, handler)
        .use(mount, express.static(tree.root) as Handler),
    ),
  'node:http before Express': (handler) => {
    const app = express().use(express.static(tree.root))
    return createServer((req, res) => handler(req, res, () => app(req, res)))
  },
}

/** The bytes of the answer to one request, whatever they are. */
function answerTo(port: number, target: string, host = 'example.com'): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connectSocket(port, '127.0.0.1')
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
    socket.write(Buffer.from(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, 'latin1'))
  })
}

/** Paths inside the mount; each gets the source where nothing guards it, or did on another system. */
const spellings: readonly string[] = [
  '/index.php',
  '/%69ndex.php',
  '/index%2ephp',
  '/index.%70%68%70',
  '//index.php',
  '/./index.php',
  '/%2e/index.php',
  '/x/../index.php',
  '/x/%2e%2e/index.php',
  '/sub%2findex.php',
  '/sub%2Fconfig.php',
  '/sub//config.php',
  '/sub/.//config.php',
  '/sub\\config.php',
  '/sub%5cconfig.php',
  '/x\\..\\index.php#',
  '/sub\\config.php#',
  '/index.php#',
  '/index.php#?x',
  '/index.php?#',
  '/index.php/',
  '/index.php/.',
  '/index.php%20',
  '/index.php.',
  '/index.php::$DATA',
  '/index.php\xa0',
  '/sub%2findex.php\xa0',
  '//user@host/index.php#',
  '//user@host/index.php?\xa0',
  '//user@host%2e%2e/index.php#',
  '//user@host/x.php',
  '/user@host/x.php',
  '/%C3%A9.php',
  '/\xe9.php',
  '/\xc3\xa9.php',
  '/UPPER.PHP',
  '/UPPER.%50HP',
  '/upper.php',
  '/a%20b.php',
  '/p%2570.php',
  '/p%70.php',
]

for (const [name, create] of Object.entries(hosts)) {
  for (const mount of name.startsWith('node:http') ? ['/'] : ['/', '/mount']) {
    describe(`${name} at ${mount}`, () => {
      const variants: Readonly<Record<string, Partial<ResolvableLocation>>> = {
        'the usual location': {},
        'a location whose match takes no script': { match: [/^\/nothing$/], index: [] },
        'a location whose match ends with the script': { match: [/\.php$/] },
        'a front controller': { frontController: '/index.php' },
      }
      const prefix = mount === '/' ? '' : mount
      for (const [variant, given] of Object.entries(variants)) {
        let listening: Listening
        before(async () => {
          listening = await listen(create(guard(given), mount))
        })
        after(() => listening[Symbol.asyncDispose]())

        test(`sends no source in any spelling, with ${variant}`, async () => {
          for (const spelling of spellings) {
            for (const target of [`${prefix}${spelling}`, `http://example.com${prefix}${spelling}`]) {
              const answer = await answerTo(listening.port, target)
              assert.ok(answer.startsWith('HTTP/1.1 '), `no answer for ${target}`)
              assert.ok(!answer.includes(SOURCE), `the source for ${target}: ${answer.slice(0, 40)}`)
            }
          }
        })

        test(`passes what is no script on, with ${variant}`, async () => {
          assert.match(await answerTo(listening.port, `${prefix}/style.css`), /body \{\}/)
        })
      }
    })
  }
}

test('would send the source without the guard: the spellings are real', async () => {
  await using listening = await listen(hosts['Express 5']?.(pass, '/') ?? assert.fail())
  const leaks: string[] = []
  for (const spelling of spellings) {
    if ((await answerTo(listening.port, spelling)).includes(SOURCE)) leaks.push(spelling)
  }
  assert.ok(leaks.length > 20, leaks.join(' '))
  for (const spelling of ['/sub%2findex.php', '//user@host/index.php#', '/x\\..\\index.php#', '/sub\\config.php#']) {
    assert.ok(leaks.includes(spelling), spelling)
  }
})

test('sends no source for any target that is made of such pieces', async () => {
  await using listening = await listen(
    hosts['Express 5']?.(guard({ match: [/^\/nothing$/], index: [] }), '/') ?? assert.fail(),
  )
  const piece = fc.constantFrom(
    ...[
      '/',
      '//',
      '\\',
      '%2f',
      '%5c',
      '.',
      '..',
      '/../',
      '%2e',
      '#',
      '?',
      '@',
      ':',
      ';',
      '\xa0',
      '\xe9',
      '%C3%A9',
      '%20',
    ],
    ...['index.php', 'sub', 'sub/config.php', 'UPPER.PHP', 'user@host', 'http://', 'x', '.php', '%70', '~1', '::$DATA'],
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 7 }), async (pieces) => {
      const answer = await answerTo(listening.port, `/${pieces.join('')}`)
      assert.ok(!answer.includes(SOURCE))
    }),
    { numRuns: 1000, examples: spellings.map((spelling) => [[spelling.slice(1)]]) },
  )
})

test('sends no source to a host that no location names: a client names its host as it likes', async () => {
  for (const hosts of [['www.example.com'], ['www.example.com', 'example.com']]) {
    await using listening = await listen(
      createServer(express().use(guard({ hosts, checkLocal: true }), express.static(tree.root))),
    )
    for (const host of ['', 'other.example', '127.0.0.1', 'www.example.com.evil.example', 'EXAMPLE.com', '[::1]']) {
      for (const target of [
        '/index.php',
        '/index%2ephp',
        '/UPPER.PHP',
        '/index.php/',
        `http://${host || 'x'}/index.php`,
      ]) {
        const answer = await answerTo(listening.port, target, host)
        assert.ok(answer.startsWith('HTTP/1.1 ') && !answer.includes(SOURCE), `${target} of ${host}`)
      }
    }
    assert.match(await answerTo(listening.port, '/style.css', 'other.example'), /body \{\}/)
  }
})

test('lets an Express route that is called like a script but is no file pass', async () => {
  const app = express()
    .use(guard({}))
    .get('/old.php', (_req, res) => void res.send('route'))
  await using listening = await listen(createServer(app))
  assert.match(await answerTo(listening.port, '/old.php'), /route$/)
})
