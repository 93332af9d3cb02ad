import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, it } from 'node:test'
import { type LogOutput, SiteLog } from '../../../lib/cli/serve-log.ts'

class Output implements LogOutput {
  readonly isTTY: boolean
  text = ''

  constructor(isTTY = false) {
    this.isTTY = isTTY
  }

  hasColors(): boolean {
    return this.isTTY
  }

  write(text: string): void {
    this.text += text
  }
}

function requestOf(method: string, url: string): IncomingMessage {
  return Object.assign(new IncomingMessage(new Socket()), { method, url })
}

const served = { status: 200, duration: 1.25, backend: 'php-fpm', broken: false }

describe('the log of serve', () => {
  it('has a line for each request', () => {
    const out = new Output()
    const log = new SiteLog(out, new Output())
    log.end({ ...served, req: requestOf('GET', '/a?b=1') })
    log.end({ ...served, req: requestOf('POST', '/c'), status: 502, duration: 1234.5, broken: true })
    assert.equal(out.text, 'GET /a?b=1 200 1.3 ms php-fpm\nPOST /c 502 1235 ms php-fpm (broken off)\n')
  })

  it('lets no request move a terminal, and cuts a long one', () => {
    const out = new Output()
    const log = new SiteLog(out, new Output())
    log.end({ ...served, req: requestOf('GET', '/\x1b[2J\u009b2J\n\u2028') })
    assert.equal(out.text, 'GET /?[2J?2J?? 200 1.3 ms php-fpm\n')
    out.text = ''
    log.end({ ...served, req: requestOf('GET', `/${'x'.repeat(1000)}`) })
    assert.ok(out.text.startsWith(`GET /${'x'.repeat(299)}… 200 `))
  })

  it('puts colours where a terminal takes them', () => {
    const out = new Output(true)
    const err = new Output(true)
    const log = new SiteLog(out, err)
    log.end({ ...served, req: requestOf('GET', '/') })
    assert.equal(out.text, 'GET / \x1b[32m200\x1b[0m 1.3 ms \x1b[2mphp-fpm\x1b[0m\n')
    log.error('GET / (/srv/index.php): stderr: PHP Warning:  no')
    log.error('GET / (/srv/index.php): stderr: PHP Fatal error:  no')
    assert.equal(err.text, 'GET / \x1b[33mPHP Warning:  no\x1b[0m\nGET / \x1b[31mPHP Fatal error:  no\x1b[0m\n')
  })

  it('takes the messages apart that php-fpm puts into one line', () => {
    const err = new Output()
    const log = new SiteLog(new Output(), err)
    log.error('GET /x (/srv/x.php): stderr: PHP message: one; PHP message: two')
    assert.equal(err.text, 'GET /x one\nGET /x two\n')
  })

  it('keeps what a script wrote to STDERR until its request is over', () => {
    const log = new SiteLog(new Output(), new Output())
    const req = requestOf('GET', '/x')
    log.error('GET /x (/srv/x.php): stderr: too early')
    log.begin(req)
    for (let line = 1; line <= 30; line += 1) log.error(`GET /x (/srv/x.php): stderr: line ${line}`)
    log.error('GET /y (/srv/y.php): stderr: another')
    assert.equal(log.stderrOf(req).length, 20)
    assert.equal(log.stderrOf(req)[0], 'line 1')
    log.end({ ...served, req })
    assert.deepEqual(log.stderrOf(req), [])
  })

  it('passes other news on', () => {
    const out = new Output()
    const err = new Output()
    const log = new SiteLog(out, err)
    log.info('listening')
    log.error('GET /x: 502 ERR_FCGI_CONNECT: No socket')
    assert.deepEqual([out.text, err.text], ['listening\n', 'GET /x: 502 ERR_FCGI_CONNECT: No socket\n'])
  })
})
