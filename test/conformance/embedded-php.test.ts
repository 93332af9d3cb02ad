import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { adminer } from '../support/applications.ts'
import { socketOptions } from '../support/backend.ts'
import { Browser, hiddenFields } from '../support/browser.ts'
import { type EmbeddedPhp, embeddedProgram, startEmbeddedPhp } from '../support/embedded-php.ts'
import { eventually } from '../support/eventually.ts'
import { type Gateway, phpRoot, serve } from '../support/gateway.ts'
import { ask, askJson, open, read } from '../support/http-client.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { type RawAnswer, rawFastCgi, rawRecord } from '../support/raw-fastcgi.ts'
import { backend } from '../support/require-backend.ts'

const MEGABYTE = 1024 * 1024

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A connection that was accepted: FCGI_GET_VALUES has been answered on it. */
async function idleConnection(address: string): Promise<Socket> {
  const socket = connect(socketOptions(address))
  socket.write(rawRecord(9, Buffer.alloc(0), 0))
  await once(socket, 'data')
  return socket
}

function request(script: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const name = `/${script.split('/').at(-1)}`
  return {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: 'test/1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: 'example.org',
    SERVER_PORT: '8443',
    REQUEST_METHOD: 'GET',
    REQUEST_URI: name,
    SCRIPT_NAME: name,
    SCRIPT_FILENAME: script,
    QUERY_STRING: '',
    REDIRECT_STATUS: '200',
    ...more,
  }
}

describe('the embedded PHP', () => {
  let php: EmbeddedPhp
  let gateway: Gateway
  let place: PrivateDirectory

  before(async () => {
    place = privateDirectory('test')
    php = await startEmbeddedPhp(['--workers', '2'])
    gateway = await serve({ root: fixtures, server: php.address })
  })
  after(async () => {
    await gateway?.close()
    await php?.stop()
    place?.remove()
  })

  const url = (path: string): string => gateway.url + path
  const raw = (script: string, more: Readonly<Record<string, string>> = {}): Promise<RawAnswer> =>
    rawFastCgi({ address: php.address, params: request(join(fixtures, script), more) })

  it('gives a script the real parameters and nothing of its own', async () => {
    const server = await askJson(url('/php/server.php/path/info?a=b%20c&d'), { headers: { Host: 'example.org:8443' } })
    assert.equal(server.REQUEST_URI, '/php/server.php/path/info?a=b%20c&d')
    assert.equal(server.SCRIPT_NAME, '/php/server.php')
    assert.equal(server.PATH_INFO, '/path/info')
    assert.equal(server.PHP_SELF, '/php/server.php/path/info')
    assert.equal(server.QUERY_STRING, 'a=b%20c&d')
    assert.equal(server.SCRIPT_FILENAME, join(phpRoot, 'server.php'))
    assert.equal(server.DOCUMENT_ROOT, fixtures)
    assert.equal(server.SERVER_NAME, 'example.org')
    assert.equal(server.SERVER_PORT, '8443')
    assert.match(server.SERVER_SOFTWARE ?? '', /^express-fastcgi\//)
    assert.equal(server.REMOTE_ADDR, '127.0.0.1')
    assert.equal(server.HTTPS, undefined)
  })

  it('hands on its environment, as php-cgi does', async () => {
    const server = JSON.parse((await ask(url('/php/server.php'))).text)
    assert.equal(server.TMPDIR, php.directory)
    assert.equal(server.PATH, process.env.PATH)
    for (const name of ['LANG', 'LOGNAME', 'PWD', '_']) assert.equal(server[name], undefined, name)
  })

  it('passes bytes that are no UTF-8', async () => {
    const answer = await raw('php/server.php', { QUERY_STRING: 'hex=HTTP_X', HTTP_X: 'é' })
    assert.match(answer.stdout.toString(), new RegExp(`"${Buffer.from('é').toString('hex')}"`))
  })

  it('runs a script in its folder, on the files of this machine, and no other program', async () => {
    const found = await askJson<Record<string, unknown>>(url('/embedded/place.php'))
    assert.equal(found.cwd, join(fixtures, 'embedded'))
    assert.equal(found.file, join(fixtures, 'embedded/place.php'))
    assert.equal(found.sapi, 'cgi-fcgi')
    assert.equal(found.sibling, true)
    assert.ok(String(found.tmp).startsWith(php.directory))
    assert.notEqual(found.exec, 'ran')
    for (const name of ['sqlite3', 'pdo_sqlite', 'mbstring', 'session', 'openssl', 'gd', 'zip', 'curl']) {
      assert.ok((found.extensions as string[]).includes(name), name)
    }
  })

  it('hands a form to $_POST and to php://input', async () => {
    const form = new URLSearchParams({ a: '1', text: 'Grüße & more' })
    const page = await fetch(url('/php/body.php'), { method: 'POST', body: form })
    const { post, length } = (await page.json()) as { post: Record<string, string>; length: number }
    assert.deepEqual(post, { a: '1', text: 'Grüße & more' })
    assert.equal(length, Buffer.byteLength(form.toString()))
  })

  it('takes an upload of 5 MB', async () => {
    const bytes = randomBytes(5 * MEGABYTE)
    const form = new FormData()
    form.set('name', 'value')
    form.set('file', new Blob([bytes], { type: 'image/png' }), 'picture.png')
    const page = await fetch(url('/php/body.php'), { method: 'POST', body: form })
    const received = (await page.json()) as {
      post: Record<string, string>
      files: Record<string, { name: string; size: number; sha256: string; error: number }>
    }
    assert.deepEqual(received.post, { name: 'value' })
    const { name, size, sha256: hash, error } = received.files.file ?? {}
    assert.deepEqual(
      { name, size, hash, error },
      { name: 'picture.png', size: bytes.length, hash: sha256(bytes), error: 0 },
    )
  })

  it('refuses a body that it could not hold', async () => {
    const answer = await rawFastCgi({
      address: php.address,
      params: request(join(phpRoot, 'body.php'), { CONTENT_LENGTH: String(1024 * MEGABYTE) }),
    })
    assert.match(answer.stdout.toString(), /^Status: 413\r\n/)
    assert.match(answer.stderr.toString(), /the embedded PHP takes/)
  })

  it('sends 10 MB as they are, in pieces and at once', async () => {
    const { body } = await ask(url(`/php/download.php?bytes=${10 * MEGABYTE}&length=1`))
    assert.equal(body.length, 10 * MEGABYTE)
    for (const at of [0, 1, 80, 159]) {
      assert.equal(body.subarray(at * 65_536, at * 65_536 + 16).toString(), String(at).padStart(16, '0'))
    }
  })

  it('sends what was flushed before the script ends', async () => {
    const gate = join(place.path, 'flush-gate')
    const message = await open(url(`/php/flush.php?gate=${gate}`))
    const [first] = (await message.iterator({ destroyOnReturn: false }).next()).value.toString().split('\n')
    assert.equal(first, 'before')
    writeFileSync(gate, '')
    assert.equal((await read(message)).toString(), 'after\n')
  })

  it('sends what was flushed before it computes on, without a turn of its event loop', async () => {
    const marker = join(place.path, 'silent-flush')
    const message = await open(url(`/embedded/endless.php?how=silent&marker=${marker}`))
    const { value } = await message.iterator({ destroyOnReturn: false }).next()
    assert.equal(value.toString(), 'begun\n')
    message.destroy()
  })

  it('holds a script back whose client does not read', async () => {
    const progress = join(place.path, 'progress')
    const message = await open(url(`/php/download.php?bytes=${64 * MEGABYTE}&progress=${progress}`))
    await eventually('the first bytes', () => existsSync(progress))
    let before = -1
    await eventually('the script stands still', async () => {
      const sent = Number(readFileSync(progress, 'utf8'))
      const still = sent === before
      before = sent
      await new Promise((resolve) => setTimeout(resolve, 300))
      return still
    })
    assert.ok(before < 48 * MEGABYTE, `${before} bytes were sent to a client that does not read`)
    assert.equal((await read(message)).length, 64 * MEGABYTE)
  })

  it('sends every Set-Cookie, and the status', async () => {
    const { headers } = await ask(url('/php/cookies.php'))
    assert.equal(headers['set-cookie']?.length, 3)
    const answer = await ask(url('/php/status.php?code=404'))
    assert.equal(answer.status, 404)
    assert.equal(
      (await raw('php/status.php', { QUERY_STRING: 'code=404' })).stdout.toString().slice(0, 11),
      'Status: 404',
    )
  })

  it('answers 204 and 304 without a body, and a HEAD', async () => {
    for (const code of [204, 304]) {
      const answer = await ask(url(`/php/status.php?code=${code}`))
      assert.equal(answer.status, code)
      assert.equal(answer.body.length, 0)
      assert.equal(answer.headers.etag, '"fixture"')
    }
    assert.equal((await ask(url('/php/echo.php'), { method: 'HEAD' })).body.length, 0)
  })

  it('takes a head of many long fields', async () => {
    const { headers } = await ask(url('/php/headers.php?lines=20&bytes=500'))
    assert.equal(headers['x-line-20'], 'v'.repeat(500))
    assert.equal(
      (await ask(url(`/php/lines.php?line[]=${encodeURIComponent('X-Odd: "a\\b"\tc')}`))).headers['x-odd'],
      '"a\\b"\tc',
    )
  })

  it('sends the error log to FCGI_STDERR', async () => {
    const answer = await raw('php/log.php', { QUERY_STRING: 'text=a%20line&times=3' })
    assert.equal(answer.stderr.toString().match(/a line/g)?.length, 3)
    assert.match(answer.stdout.toString(), /line 3/)
  })

  it('tells a fatal error to the log, a 500 to the client', async () => {
    const answer = await raw('php/die.php', { QUERY_STRING: 'how=fatal' })
    assert.match(answer.stdout.toString(), /^Status: 500\r\n/)
    assert.match(answer.stderr.toString(), /Call to undefined function undefined_function\(\)/)
    assert.equal(answer.appStatus, 255)
    assert.equal((await ask(url('/php/echo.php'))).status, 200)
  })

  it('tells the exit status of a script', async () => {
    const script = join(place.path, 'exit.php')
    writeFileSync(script, '<?php echo "so far"; exit(3);')
    const answer = await rawFastCgi({ address: php.address, params: request(script) })
    assert.equal(answer.appStatus, 3)
    assert.match(answer.stdout.toString(), /\r\n\r\nso far$/)
  })

  it('answers for a script that is not there as php-fpm does', async () => {
    const answer = await raw('php/absent.php')
    assert.match(answer.stdout.toString(), /^Status: 404\r\n[\s\S]*\r\n\r\nFile not found\.\n$/)
    assert.equal(answer.stderr.toString(), 'Primary script unknown\n')
    assert.match((await raw('php')).stdout.toString(), /^Status: 404/)
    assert.match((await raw('php/not-a-script.txt')).stdout.toString(), /^Status: 403/)
  })

  it('runs a script as it is now, however often it changes', async () => {
    const script = join(place.path, 'edited.php')
    for (const text of ['one', 'two', 'three', 'four']) {
      writeFileSync(script, `<?php echo "${text}";`)
      const answers = await Promise.all([1, 2].map(() => rawFastCgi({ address: php.address, params: request(script) })))
      for (const answer of answers) assert.match(answer.stdout.toString(), new RegExp(`\\r\\n\\r\\n${text}$`))
    }
  })

  it('answers 20 requests at once over its two threads', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => ask(url(`/php/server.php?number=${index}`))),
    )
    const queries = answers.map((answer) => JSON.parse(answer.text).QUERY_STRING)
    assert.deepEqual(
      queries,
      Array.from({ length: 20 }, (_, index) => `number=${index}`),
    )
  })

  it('keeps a session over requests and over threads', async () => {
    const browser = new Browser(gateway.url)
    for (const visits of ['1', '2', '3']) assert.equal((await browser.get('/php/session.php')).text, visits)
    const pages = await Promise.all(Array.from({ length: 6 }, () => browser.get('/php/session.php')))
    assert.deepEqual(pages.map((page) => page.text).sort(), ['4', '5', '6', '7', '8', '9'])
  })

  it('runs two scripts at the same time', async () => {
    const [one, two] = [join(place.path, 'one'), join(place.path, 'two')]
    const answers = await Promise.all([
      ask(url(`/embedded/meet.php?mine=${one}&other=${two}`)),
      ask(url(`/embedded/meet.php?mine=${two}&other=${one}`)),
    ])
    assert.deepEqual(
      answers.map((answer) => answer.text),
      ['met', 'met'],
    )
  })

  it('loses no count under flock() in two threads', async () => {
    const file = join(place.path, 'counter')
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url(`/embedded/counter.php?file=${file}`))))
    assert.deepEqual(new Set(answers.map((answer) => answer.text)), new Set(['counted']))
    assert.equal(readFileSync(file, 'utf8'), '20')
  })

  it('loses no transaction of a SQLite database in two threads', async () => {
    const file = join(place.path, 'counter.db')
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url(`/embedded/database.php?file=${file}`))))
    const counts = answers.map((answer) => Number(answer.text)).sort((a, b) => a - b)
    assert.deepEqual(
      counts,
      Array.from({ length: 20 }, (_, index) => index + 1),
    )
  })

  for (const how of ['silent', 'loud']) {
    it(`is free again when the clients of two ${how} endless scripts have left`, async () => {
      const messages = await Promise.all(
        [1, 2].map(async (number) => {
          const marker = join(place.path, `${how}-${number}`)
          const message = await open(url(`/embedded/endless.php?how=${how}&marker=${marker}`))
          await eventually('it runs', () => existsSync(marker))
          return message
        }),
      )
      const waiting = ask(url('/php/echo.php'))
      for (const message of messages) message.destroy()
      assert.equal((await waiting).status, 200)
    })
  }

  it('ends a script that asks for more memory than memory_limit, and one that lifted the limit', async () => {
    const limited = await raw('embedded/memory.php', { QUERY_STRING: `bytes=${400 * MEGABYTE}` })
    assert.match(limited.stderr.toString(), /Allowed memory size of \d+ bytes exhausted/)
    const unlimited = await raw('embedded/memory.php', { QUERY_STRING: `limit=0&bytes=${3000 * MEGABYTE}` })
    assert.match(unlimited.stdout.toString(), /^Status: 500/)
    assert.match(unlimited.stderr.toString(), /memory/i)
    assert.equal((await ask(url('/php/echo.php'))).status, 200)
  })
})

backend('php-fpm').describe('the embedded PHP beside php-fpm', () => {
  let php: EmbeddedPhp
  let fpm: PhpFpm

  before(async () => {
    php = await startEmbeddedPhp()
    fpm = await startPhpFpm()
  })
  after(async () => {
    await php?.stop()
    await fpm?.stop()
  })

  /** $_SERVER without what is each PHP's own. */
  const serverOf = async (address: string, more: Readonly<Record<string, string>>): Promise<object> => {
    const { stdout } = await rawFastCgi({ address, params: request(join(phpRoot, 'server.php'), more) })
    const text = stdout.toString()
    const server = JSON.parse(text.slice(text.indexOf('\r\n\r\n')))
    const own = ['REQUEST_TIME', 'REQUEST_TIME_FLOAT', 'USER', 'HOME', 'USE_ZEND_ALLOC', 'PATH', 'TMPDIR']
    for (const name of own) delete server[name]
    return server
  }

  const cases: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'a plain request': { DOCUMENT_ROOT: phpRoot, REMOTE_ADDR: '192.0.2.1', REMOTE_PORT: '1234' },
    'a query with words': { QUERY_STRING: 'a+b+c', REQUEST_URI: '/server.php?a+b+c' },
    PATH_INFO: { DOCUMENT_ROOT: phpRoot, PATH_INFO: '/a/b', REQUEST_URI: '/server.php/a/b' },
    'a front controller': { DOCUMENT_ROOT: phpRoot, REQUEST_URI: '/pretty/url?x=1', QUERY_STRING: 'x=1' },
    'a mount': { DOCUMENT_ROOT: phpRoot, SCRIPT_NAME: '/sub/server.php', REQUEST_URI: '/sub/server.php' },
    'HTTPS and headers': { HTTPS: 'on', HTTP_HOST: 'example.org', HTTP_X_A: 'b', HTTP_COOKIE: 'a=b' },
    'Basic credentials': { HTTP_AUTHORIZATION: `Basic ${Buffer.from('me:pass:word').toString('base64')}` },
    'Digest credentials': { HTTP_AUTHORIZATION: 'Digest username="me", realm="there"' },
    'names that fold to one': { 'HTTP_X.FOO': 'first', HTTP_X_FOO: 'second' },
    'a form': { REQUEST_METHOD: 'POST', CONTENT_TYPE: 'text/plain', CONTENT_LENGTH: '0' },
  }
  for (const [name, params] of Object.entries(cases)) {
    it(`gives the same $_SERVER for ${name}`, async () => {
      assert.deepEqual(await serverOf(php.address, params), await serverOf(fpm.address, params))
    })
  }
})

backend('adminer').describe('Adminer under the embedded PHP', () => {
  it('logs in, makes a SQLite database and a table, and keeps a row', async () => {
    const tool = adminer()
    const php = await startEmbeddedPhp()
    const gateway = await serve({ root: tool.root, server: php.address, index: 'index.php' })
    const browser = new Browser(gateway.url)
    await browser.get('/')
    const page = await browser.post('/', {
      'auth[driver]': 'sqlite',
      'auth[server]': '',
      'auth[username]': tool.user,
      'auth[password]': tool.password,
      'auth[db]': tool.database,
    })
    assert.match(page.text, /name=['"]logout['"]/)
    const send = async (path: string, fields: Readonly<Record<string, string>>): Promise<string> => {
      const form = await browser.get(path)
      return (await browser.post(path, { ...hiddenFields(form.text), ...fields })).text
    }
    await send(`/?sqlite=&username=${tool.user}&database=`, { name: tool.database, collation: '' })
    assert.ok(existsSync(tool.database))
    const base = `/?sqlite=&username=${tool.user}&db=${encodeURIComponent(tool.database)}`
    const table = { name: 'notes', 'fields[1][field]': 'text', 'fields[1][type]': 'text' }
    assert.match(await send(`${base}&create=`, table), /Table has been created/)
    assert.match(
      await send(`${base}&edit=notes`, { 'fields[text]': 'Grüße', 'function[text]': '' }),
      /has been inserted/,
    )
    assert.match((await browser.get(`${base}&select=notes`)).text, /Grüße/)
    await gateway.close()
    await php.stop()
    tool.remove()
  })
})

describe('the example site under the embedded PHP', () => {
  it('shows its request', async () => {
    const php = await startEmbeddedPhp()
    const root = fileURLToPath(new URL('../../examples/site', import.meta.url))
    const gateway = await serve({ root, server: php.address })
    const page = await ask(`${gateway.url}/`)
    assert.equal(page.status, 200)
    assert.match(page.text, /cgi-fcgi/)
    assert.match(page.text, /REQUEST_URI/)
    await gateway.close()
    await php.stop()
  })
})

describe('the program of the embedded PHP', () => {
  const script = join(fixtures, 'php/process.php')

  it('answers first within 3 s of its start, and removes its directory at SIGTERM', async () => {
    const begun = performance.now()
    const php = await startEmbeddedPhp()
    const answer = await rawFastCgi({ address: php.address, params: request(script) })
    const took = performance.now() - begun
    assert.equal(answer.appStatus, 0)
    console.log(`first answer after ${Math.round(took)} ms`)
    assert.equal(php.leftovers().length, 1)
    php.child.kill('SIGTERM')
    assert.equal(await php.exited, 0)
    assert.deepEqual(php.leftovers(), [])
    await php.stop()
  })

  it('finishes a request that was begun before SIGTERM', async () => {
    const php = await startEmbeddedPhp()
    const [marker, gate] = [join(php.directory, 'marker'), join(php.directory, 'gate')]
    const params = request(join(phpRoot, 'hold.php'), { QUERY_STRING: `marker=${marker}&gate=${gate}` })
    const answer = rawFastCgi({ address: php.address, params })
    await eventually('the script runs', () => existsSync(marker))
    const idle = await idleConnection(php.address)
    php.child.kill('SIGTERM')
    await once(idle, 'close')
    assert.equal(php.child.exitCode, null)
    writeFileSync(gate, '')
    assert.match((await answer).stdout.toString(), /held\n$/)
    assert.equal(await php.exited, 0)
    await php.stop()
  })

  it('cuts off, at a second SIGTERM, a script that does not end', async () => {
    const php = await startEmbeddedPhp()
    const marker = join(php.directory, 'marker')
    const params = request(join(fixtures, 'embedded/endless.php'), { QUERY_STRING: `how=silent&marker=${marker}` })
    const answer = rawFastCgi({ address: php.address, params })
    await eventually('the script runs', () => existsSync(marker))
    const idle = await idleConnection(php.address)
    php.child.kill('SIGTERM')
    await once(idle, 'close')
    php.child.kill('SIGTERM')
    assert.equal(await php.exited, 1)
    assert.equal((await answer).appStatus, null)
    assert.deepEqual(php.leftovers(), [])
    await php.stop()
  })

  it('removes, at its start, the directory of one that was killed', async () => {
    const php = await startEmbeddedPhp()
    await rawFastCgi({ address: php.address, params: request(script) })
    const gone = php.leftovers()
    php.child.kill('SIGKILL')
    await php.exited
    assert.equal(php.leftovers().length, 1)
    const next = await startEmbeddedPhp([], { TMPDIR: php.directory })
    await rawFastCgi({ address: next.address, params: request(script) })
    assert.equal(php.leftovers().length, 1)
    assert.notDeepEqual(php.leftovers(), gone)
    await next.stop()
    await php.stop()
  })

  it('replaces a PHP after its number of requests, and loses none', async () => {
    const php = await startEmbeddedPhp(['--workers', '1', '--max-requests', '3', '--ini', 'user_agent=the tests'])
    const page = join(php.directory, 'ini.php')
    writeFileSync(page, '<?php echo getmypid(), " ", ini_get("user_agent");')
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => rawFastCgi({ address: php.address, params: request(page) })),
    )
    const lives = new Map<string, number>()
    for (const answer of answers) {
      const [, id = ''] = /\r\n\r\n(\d+) the tests$/.exec(answer.stdout.toString()) ?? []
      lives.set(id, (lives.get(id) ?? 0) + 1)
    }
    assert.deepEqual([...lives.values()].sort(), [1, 3, 3, 3])
    await php.stop()
  })

  it('says in one line what is wrong, and ends', () => {
    const run = (args: readonly string[], cwd: string, program = embeddedProgram): object => {
      const { status, stderr } = spawnSync(process.execPath, [program, ...args], { cwd, encoding: 'utf8', input: '' })
      return { status, stderr: stderr.replace(/^express-fastcgi embedded PHP: /, '') }
    }
    const place = privateDirectory('test')
    assert.deepEqual(run(['--workers', 'many'], place.path), {
      status: 2,
      stderr: 'workers is a whole number from 1 on, found "many"\n',
    })
    const noSocket = run([], place.path) as { status: number; stderr: string }
    assert.equal(noSocket.status, 1)
    assert.match(noSocket.stderr, /^Cannot listen on file descriptor 0, .* --listen ADDRESS.*\n$/)
    cpSync(dirname(dirname(embeddedProgram)), join(place.path, 'dist'), { recursive: true })
    writeFileSync(join(place.path, 'package.json'), '{"type":"module"}')
    assert.deepEqual(run([], place.path, join(place.path, 'dist/embedded/main.js')), {
      status: 1,
      stderr: 'The embedded PHP is not installed. Install it with: npm install @php-wasm/node-8-4@3.1.54\n',
    })
    place.remove()
  })
})
