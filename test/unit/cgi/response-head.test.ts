import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ParsedHead } from '../../../lib/cgi/response-head.ts'
import { ResponseHeadParser } from '../../../lib/cgi/response-head.ts'
import { FastCgiError } from '../../../lib/errors.ts'
import { splitsOf } from '../../support/splits.ts'

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** Feeds the pieces to one parser; the rest is what came behind the head, all of it. */
function feed(pieces: readonly Buffer[]): ParsedHead | null {
  const parser = new ResponseHeadParser()
  let found: ParsedHead | null = null
  const rest: Buffer[] = []
  for (const piece of pieces) {
    if (found === null) {
      found = parser.push(piece)
      if (found !== null) rest.push(found.rest)
    } else {
      rest.push(piece)
    }
  }
  return found === null ? null : { head: found.head, rest: Buffer.concat(rest) }
}

function parse(text: string): ParsedHead {
  const whole = feed([bytes(text)])
  assert.ok(whole !== null, 'the head has ended')
  for (const { pieces } of splitsOf(bytes(text))) assert.deepEqual(feed(pieces), whole)
  return whole
}

/** The detail with which an answer is refused, whatever its pieces. */
function refusal(text: string): string {
  const details = new Set<string>()
  for (const { pieces } of splitsOf(bytes(text))) {
    assert.throws(
      () => feed(pieces),
      (error: unknown) => {
        assert.ok(error instanceof FastCgiError)
        assert.equal(error.code, 'ERR_FCGI_BAD_RESPONSE')
        details.add(error.detail)
        return true
      },
    )
  }
  return [...details].join('\n')
}

function pairs({ head }: ParsedHead): string[] {
  return head.fields.map(({ name, value }) => `${name}=${value}`)
}

describe('ResponseHeadParser', () => {
  it('reads a head that ends in CRLF CRLF, LF LF or a mix of them', () => {
    for (const end of ['\r\n\r\n', '\n\n', '\r\n\n', '\n\r\n']) {
      const found = parse(`Content-Type: text/html\r\nX-A: 1${end}body\n\nmore`)
      assert.deepEqual(pairs(found), ['Content-Type=text/html', 'X-A=1'])
      assert.equal(found.rest.toString(), 'body\n\nmore')
      assert.equal(found.head.status, 200)
      assert.equal(found.head.statusGiven, false)
    }
  })

  it('keeps the spelling of names, their order and repeated fields', () => {
    const found = parse('SET-cookie: a=1\nX-B: 2\nSet-Cookie: b=2\nLink: </a>\nlink: </b>\n\n')
    assert.deepEqual(pairs(found), ['SET-cookie=a=1', 'X-B=2', 'Set-Cookie=b=2', 'Link=</a>', 'link=</b>'])
    assert.deepEqual(found.head.warnings, [])
  })

  it('takes spaces and tabs from around a value, and nothing else', () => {
    assert.deepEqual(pairs(parse('A:  x y\t \nB:\nC:z\nD: \xc3\xa0\n\n')), ['A=x y', 'B=', 'C=z', 'D=\xc3\xa0'])
  })

  it('passes 8-bit bytes as they are', () => {
    const all = Array.from({ length: 128 }, (_, index) => String.fromCharCode(128 + index)).join('')
    assert.deepEqual(pairs(parse(`A: ${all}\n\n`)), [`A=${all}`])
  })

  it('reads a Status with and without a reason', () => {
    const cases: readonly (readonly [string, number, string | undefined])[] = [
      ['404 Not Found', 404, 'Not Found'],
      ['404', 404, undefined],
      ['404 ', 404, undefined],
      ['200', 200, undefined],
      ['599 \xe9t\xe9', 599, '\xe9t\xe9'],
      ['103 Early Hints', 103, 'Early Hints'],
    ]
    for (const [value, status, reason] of cases) {
      const { head } = parse(`Status: ${value}\n\n`)
      assert.deepEqual([head.status, head.reason, head.statusGiven], [status, reason, true])
      assert.deepEqual(head.fields, [])
    }
  })

  it('reads a first line of HTTP', () => {
    for (const version of ['HTTP/1.1', 'HTTP/1.0', 'HTTP/2']) {
      const found = parse(`${version} 404 Not Here\r\nX-A: 1\r\n\r\n`)
      assert.deepEqual([found.head.status, found.head.reason, pairs(found)], [404, 'Not Here', ['X-A=1']])
    }
    assert.equal(parse('HTTP/1.1 204\r\n\r\n').head.status, 204)
  })

  it('answers 302 for a Location without a Status, and what Status says with one', () => {
    assert.equal(parse('Location: /a\n\n').head.status, 302)
    assert.equal(parse('Location: https://other.test/\nX: 1\n\n').head.status, 302)
    assert.equal(parse('Status: 201\nLocation: /a\n\n').head.status, 201)
    assert.equal(parse('Location: /a\nStatus: 301\n\n').head.status, 301)
    assert.equal(parse('Location:\n\n').head.status, 200)
  })

  it('takes the first of a repeated single field and warns', () => {
    const found = parse(
      'Content-Type: a/b\nLocation: /1\nETag: "1"\nLast-Modified: x\nStatus: 301\n' +
        'content-type: c/d\nlocation: /2\netag: "2"\nlast-modified: y\nstatus: 404\n\n',
    )
    assert.deepEqual(pairs(found), ['Content-Type=a/b', 'Location=/1', 'ETag="1"', 'Last-Modified=x'])
    assert.equal(found.head.status, 301)
    assert.equal(found.head.warnings.length, 5)
    assert.match(found.head.warnings[0] ?? '', /content-type twice.*"c\/d"/)
  })

  it('takes the status of the first line before a Status field', () => {
    const { head } = parse('HTTP/1.1 404 Not Found\nStatus: 200\n\n')
    assert.equal(head.status, 404)
    assert.equal(head.warnings.length, 1)
  })

  it('refuses a Status that is no status of an answer', () => {
    for (const value of [
      '',
      'OK',
      '20',
      '2000',
      '20000',
      '099',
      '100',
      '101',
      '102',
      '104',
      '199',
      '600',
      '999',
      '2e2',
      '-200',
    ]) {
      assert.match(refusal(`Status: ${value}\n\n`), /Status/, value)
    }
    assert.match(refusal('HTTP/1.1 OK\n\n'), /Status/)
    assert.match(refusal('HTTP/1.1\n\n'), /first line/)
    assert.match(refusal('HTTP/x 200 OK\n\n'), /first line/)
  })

  it('refuses a name that is no token', () => {
    for (const name of ['', 'A B', 'A ', 'a(b', 'a"b', 'a/b', 'a@b', '\xe9', '{x}', '<html>', 'a,b']) {
      assert.match(refusal(`X: 1\n${name}: v\n\n`), /no name for a header/, JSON.stringify(name))
    }
  })

  it('refuses controls in a value, and CR but before LF', () => {
    for (const control of ['\0', '\x01', '\x08', '\x0b', '\x0c', '\x1b', '\x1f', '\x7f', '\r']) {
      assert.match(refusal(`X: a${control}b\n\n`), /control character/)
    }
    assert.match(refusal('X: a\r\r\n\r\n'), /control character/)
    assert.deepEqual(pairs(parse('X: a\tb\n\n')), ['X=a\tb'])
  })

  it('refuses a folded header', () => {
    for (const blank of [' ', '\t']) assert.match(refusal(`X: a\n${blank}b: c\n\n`), /folded/)
    assert.match(refusal(' X: a\n\n'), /folded/)
  })

  it('refuses a line without a colon, and says what it was', () => {
    assert.match(refusal('Warning in line 3\nX: a\n\n'), /"Warning in line 3"/)
  })

  it('refuses an answer that begins with an empty line', () => {
    for (const text of ['\n', '\r\n', '\nX: a\n\n', '\r\nX: a\r\n\r\n']) assert.match(refusal(text), /empty line/)
  })

  it('writes no control character of the backend into a message', () => {
    const detail = refusal('\x9b31mred\x85 line: x\n\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    assert.doesNotMatch(detail, /[\0-\x1f\x7f-\x9f]/)
    assert.match(detail, /\\u009b31mred/)
  })

  it('takes a head of 64 KiB and refuses one byte more, as soon as it has come', () => {
    const longest = `X: ${'a'.repeat(64 * 1024 - 5)}\n\n`
    assert.equal(longest.length, 64 * 1024)
    assert.equal(feed([bytes(longest)])?.head.fields.length, 1)
    assert.throws(() => feed([bytes(`X${longest}`)]), { code: 'ERR_FCGI_BAD_RESPONSE' })
    const parser = new ResponseHeadParser()
    assert.equal(parser.push(bytes('a'.repeat(64 * 1024))), null)
    assert.throws(() => parser.push(bytes('a')), { code: 'ERR_FCGI_BAD_RESPONSE' })
  })

  it('takes 1,000 lines and refuses one more', () => {
    assert.equal(feed([bytes(`${'X: 1\n'.repeat(1000)}\n`)])?.head.fields.length, 1000)
    assert.throws(() => feed([bytes(`${'X: 1\n'.repeat(1001)}\n`)]), { code: 'ERR_FCGI_BAD_RESPONSE' })
  })

  it('goes on with the next head after an interim one, within one limit for all', () => {
    const parser = new ResponseHeadParser()
    const hints = parser.push(bytes('Status: 103\nLink: </a>\n\nStatus: 200\n'))
    assert.equal(hints?.head.status, 103)
    assert.equal(parser.push(hints?.rest ?? Buffer.alloc(0)), null)
    const found = parser.push(bytes('X: 1\n\nbody'))
    assert.equal(found?.head.status, 200)
    assert.equal(found?.rest.toString(), 'body')
    const flood = new ResponseHeadParser()
    const hint = bytes(`Status: 103\nX: ${'a'.repeat(1000)}\n\n`)
    assert.throws(
      () => {
        for (let count = 0; count < 100; count++) flood.push(hint)
      },
      { code: 'ERR_FCGI_BAD_RESPONSE' },
    )
  })

  it('remembers heads of a moment ago, but not whose cookies they set, nor long ones, nor all there ever were', () => {
    const read = (text: string): unknown => new ResponseHeadParser().push(bytes(text))?.head
    const usual = 'X-Powered-By: PHP/8.2\r\nContent-Type: text/html\r\n\r\n'
    const first = read(usual)
    assert.equal(read(usual), first)
    const cookie = 'Set-Cookie: a=b\r\n\r\n'
    assert.notEqual(read(cookie), read(cookie))
    const long = `X: ${'x'.repeat(600)}\n\n`
    assert.notEqual(read(long), read(long))
    for (let count = 0; count < 300; count += 1) read(`X: ${count}\n\n`)
    assert.notEqual(read(usual), first)
    assert.deepEqual(read(usual), first)
  })

  it('does not copy what stands behind a head', () => {
    const content = bytes('X: 1\n\nbody')
    assert.equal(new ResponseHeadParser().push(content)?.rest.buffer, content.buffer)
  })

  it('says how an unfinished answer ends', () => {
    const parser = new ResponseHeadParser()
    assert.equal(parser.unfinished().code, 'ERR_FCGI_BAD_RESPONSE')
    assert.match(parser.unfinished().detail, /without an answer/)
    parser.push(bytes('<b>Fatal'))
    parser.push(bytes(' error'))
    assert.match(parser.unfinished().detail, /"<b>Fatal error"/)
  })
})
