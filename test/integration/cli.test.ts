import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Backend } from '../support/backend.ts'
import { phpRoot } from '../support/gateway.ts'
import { startPhpFpm } from '../support/php-fpm.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { rawRecord } from '../support/raw-fastcgi.ts'
import { backend } from '../support/require-backend.ts'

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command as a terminal would. */
async function run(args: readonly string[], stdin: string | Buffer = ''): Promise<Outcome> {
  assert.ok(existsSync(program), 'run `npm run build` first')
  const child = spawn(process.execPath, [program, ...args], { stdio: 'pipe' })
  child.stdin.on('error', () => undefined).end(stdin)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code, stdout, stderr }
}

describe('express-fastcgi', () => {
  it('prints its usage and its version', async () => {
    const help = await run(['--help'])
    assert.match(help.stdout, /^Usage:\n/)
    assert.deepEqual([help.code, help.stderr], [0, ''])
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    assert.deepEqual(await run(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
    assert.equal((await run(['request', '--help'])).stdout, help.stdout)
  })

  for (const [args, message] of [
    [[], /give a command: serve, check or request/],
    [['serv'], /there is no command serv: give serve, check or request/],
    [['check'], /check takes a FILE/],
    [['check', 'a', 'b'], /check takes one FILE, found also b/],
    [['request'], /give the ADDRESS/],
    [['request', '--foo', 'a:1', '/x.php'], /--foo/],
    [['request', 'nowhere', '/x.php'], /"nowhere".*give host:port/],
  ] as const) {
    it(`refuses [${args.join(' ')}] with exit code 2`, async () => {
      const { code, stdout, stderr } = await run(args)
      assert.match(stderr, message)
      assert.deepEqual([code, stdout], [2, ''])
    })
  }
})

describe('express-fastcgi check', () => {
  let directory: PrivateDirectory
  before(() => {
    directory = privateDirectory('check')
  })
  after(() => directory.remove())

  it('prints what a file amounts to', async () => {
    const file = fileURLToPath(new URL('../../examples/conf/fastcgi.conf', import.meta.url))
    const { code, stdout, stderr } = await run(['check', file])
    assert.match(stdout, /\/run\/php\/php-fpm\.sock/)
    assert.deepEqual([code, stderr], [0, ''])
  })

  it('prints every mistake with its place and exits with 1', async () => {
    const file = join(directory.path, 'fastcgi.conf')
    writeFileSync(file, '[FASTCGI_SERVER]\n    ServerName php\n    MaxConnections many\n    Nonsense 1\n')
    const { code, stdout, stderr } = await run(['check', file])
    assert.match(stderr, /fastcgi\.conf:3: .*many/)
    assert.match(stderr, /fastcgi\.conf:4: .*Nonsense/)
    assert.deepEqual([code, stdout], [1, ''])
  })

  it('says that a file is not there', async () => {
    const { code, stderr } = await run(['check', join(directory.path, 'none.conf')])
    assert.match(stderr, /none\.conf/)
    assert.doesNotMatch(stderr, /\n\s+at /)
    assert.equal(code, 1)
  })
})

backend('php-fpm').describe('express-fastcgi request', () => {
  let fpm: Backend
  before(async () => {
    fpm = await startPhpFpm({ children: 2 })
  })
  after(() => fpm.stop())

  const request = (...args: string[]): Promise<Outcome> => run(['request', ...args])

  it('prints headers and body as the script sent them', async () => {
    const { code, stdout, stderr } = await request(fpm.address, `${phpRoot}/server.php?a=1`)
    const [head = '', body = ''] = stdout.split('\r\n\r\n')
    assert.match(head, /^Content-Type: application\/json$/im)
    const { REQUEST_URI, QUERY_STRING, PHP_SELF, DOCUMENT_ROOT } = JSON.parse(body)
    assert.deepEqual(
      [REQUEST_URI, QUERY_STRING, PHP_SELF, DOCUMENT_ROOT],
      ['/server.php?a=1', 'a=1', '/server.php', phpRoot],
    )
    assert.deepEqual([code, stderr], [0, ''])
  })

  it('sets variables, in UTF-8', async () => {
    const { stdout } = await request(
      fpm.address,
      `${phpRoot}/server.php`,
      '--param',
      'HTTP_X_NAME=Zoë',
      '--param',
      'HTTP_HOST=',
    )
    const { HTTP_X_NAME, HTTP_HOST } = JSON.parse(stdout.split('\r\n\r\n')[1] ?? '')
    assert.deepEqual([HTTP_X_NAME, HTTP_HOST], ['Zoë', undefined])
  })

  it('sends a body from stdin or a file, whatever CONTENT_LENGTH --param says', async () => {
    const fromStdin = await run(['request', fpm.address, `${phpRoot}/body.php`, '--body', '-'], 'name=Ada')
    assert.match(fromStdin.stdout, /"post":\{"name":"Ada"\}/)
    const file = join(fpm.directory, 'body.bin')
    writeFileSync(file, Buffer.alloc(1_000_000, 7))
    const args = ['--body', file, '--method', 'PUT', '--param', 'CONTENT_LENGTH=5']
    const fromFile = await request(fpm.address, `${phpRoot}/body.php`, ...args)
    assert.match(fromFile.stdout, /"method":"PUT","length":1000000/)
    assert.equal(fromFile.code, 0)
  })

  it('prints the STDERR of a script to stderr', async () => {
    const { stdout, stderr } = await request(fpm.address, `${phpRoot}/log.php?text=a+word`)
    assert.match(stdout, /line 1\n$/)
    assert.match(stderr, /a word/)
  })

  it('explains a script that the backend does not find', async () => {
    const { stdout, stderr } = await request(fpm.address, '/nowhere/x.php')
    assert.match(stdout, /^Status: 404[\s\S]*File not found\.\n$/)
    assert.equal(
      stderr,
      'Primary script unknown\nexpress-fastcgi: the backend has no /nowhere/x.php, or may not read it: other disks?\n',
    )
  })

  it('says in one line that the backend is not there', async () => {
    const { code, stdout, stderr } = await request(join(fpm.directory, 'none.sock'), '/x.php')
    assert.match(stderr, /^express-fastcgi: No socket .*none\.sock: start the backend .*\n$/)
    assert.deepEqual([code, stdout], [1, ''])
  })

  it('gives a slow script up in time', async () => {
    const { code, stderr } = await request(fpm.address, `${phpRoot}/sleep.php?ms=60000`, '--timeout', '200ms')
    assert.match(stderr, /^express-fastcgi: The script was not done after 200 ms .*\n$/)
    assert.equal(code, 1)
  })

  it('prints what came before the connection was cut', async () => {
    const { code, stdout, stderr } = await request(fpm.address, `${phpRoot}/die.php?how=kill&after=10`)
    assert.match(stdout, /x{10}$/)
    assert.match(stderr, /^express-fastcgi: .*in the middle of its answer.*\n$/)
    assert.equal(code, 1)
  })

  it('streams an answer through a pipe that ends early', async () => {
    const child = spawn(process.execPath, [program, 'request', fpm.address, `${phpRoot}/download.php?bytes=50000000`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(child, 'close')
    await once(child.stdout, 'data')
    child.stdout.destroy()
    assert.equal(await text(child.stderr), '')
    assert.deepEqual(await ended, [0, null])
  })
})

describe('express-fastcgi request to an odd backend', () => {
  let server: Server
  let directory: PrivateDirectory
  let answer: Buffer = Buffer.alloc(0)
  const endRequest = (appStatus: number): Buffer => rawRecord(3, Buffer.from([0, 0, 0, appStatus, 0, 0, 0, 0]))

  before(async () => {
    directory = privateDirectory('odd')
    server = createServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end(answer)))
    await once(server.listen(join(directory.path, 'odd.sock')), 'listening')
  })
  after(() => {
    server.close()
    directory.remove()
  })

  const request = (): Promise<Outcome> => run(['request', join(directory.path, 'odd.sock'), '/x.php'])

  it('prints a malformed answer unchanged', async () => {
    answer = Buffer.concat([rawRecord(6, Buffer.from('no header\n\0\n: oops')), endRequest(0)])
    assert.deepEqual(await request(), { code: 0, stdout: 'no header\n\0\n: oops', stderr: '' })
  })

  it('exits with 1 when the script ended with a status other than 0', async () => {
    answer = Buffer.concat([rawRecord(6, Buffer.from('A: b\n\n')), endRequest(3)])
    const { code, stdout, stderr } = await request()
    assert.deepEqual(
      [code, stdout, stderr],
      [1, 'A: b\n\n', 'express-fastcgi: the script ended with the exit status 3\n'],
    )
  })

  it('says that an HTTP server is none', async () => {
    answer = Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')
    const { code, stderr } = await request()
    assert.match(stderr, /is it a FastCGI application\?\n$/)
    assert.equal(code, 1)
  })
})
