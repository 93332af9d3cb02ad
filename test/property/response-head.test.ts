import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ODD_LINES } from '../../fuzz/answer-grammar.ts'
import { readResponse } from '../../fuzz/oracle-head.ts'
import { ResponseHeadParser } from '../../lib/cgi/response-head.ts'
import { contentLength } from '../../lib/cgi/response-kind.ts'
import { FastCgiError } from '../../lib/errors.ts'
import { cutAt, pieces as inPieces } from '../support/splits.ts'

/** What comes of an answer fed in these pieces: the head and the body, or the failure's code. */
function outcome(pieces: readonly Buffer[]): unknown {
  const parser = new ResponseHeadParser()
  const body: Buffer[] = []
  let head: unknown = null
  try {
    for (const piece of pieces) {
      if (head !== null) {
        body.push(piece)
        continue
      }
      const found = parser.push(piece)
      if (found === null) continue
      head = found.head
      body.push(found.rest)
    }
  } catch (error) {
    if (error instanceof FastCgiError) return error.code
    throw error
  }
  return head === null ? 'unfinished' : { head, body: Buffer.concat(body).toString('latin1') }
}

const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/).filter((name) => name.toLowerCase() !== 'status')
const value = fc.stringMatching(/^[\x21-\x7e\x80-\xff]{0,20}$/)
const lineEnd = fc.constantFrom('\n', '\r\n')
const cuts = fc.array(fc.nat(2000), { maxLength: 8 })

describe('ResponseHeadParser', () => {
  it('finds what was written, wherever the bytes are cut', () => {
    const field = fc.tuple(token, value, lineEnd)
    fc.assert(
      fc.property(
        fc.array(field, { minLength: 1, maxLength: 12 }),
        lineEnd,
        fc.string(),
        cuts,
        (fields, end, body, at) => {
          const text = `${fields.map(([name, content, eol]) => `X-${name}: ${content}${eol}`).join('')}${end}`
          const content = Buffer.concat([Buffer.from(text, 'latin1'), Buffer.from(body)])
          const found = new ResponseHeadParser().push(content)
          assert.deepEqual(
            found?.head.fields.map((each) => [each.name, each.value]),
            fields.map(([name, text]) => [`X-${name}`, text]),
          )
          assert.deepEqual(found?.rest, Buffer.from(body))
          assert.deepEqual(outcome(cutAt(content, at)), outcome([content]))
        },
      ),
    )
  })

  it('says the same of any bytes, wherever they are cut, and throws nothing but FastCgiError', () => {
    const piece = fc.constantFrom(
      'Status',
      ':',
      ' ',
      '\n',
      '\r',
      '\r\n',
      '\n\n',
      '200',
      '404 x',
      'Location',
      '/',
      'a',
      'HTTP/1.1 ',
      '\0',
      '\t',
      '\xe9',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), cuts, (pieces, at) => {
        const content = Buffer.from(pieces.join(''), 'latin1')
        const whole = outcome([content])
        assert.deepEqual(outcome(cutAt(content, at)), whole)
        assert.deepEqual(outcome(inPieces(content, 1)), whole)
      }),
      { numRuns: 500 },
    )
  })

  it('understands an answer as another reading of RFC 3875 does, whatever its lines', () => {
    const line = fc.oneof(
      fc.constantFrom(...ODD_LINES),
      fc.tuple(token, value).map(([name, content]) => `${name}: ${content}`),
      fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    )
    let read = 0
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, lineEnd), { maxLength: 8 }),
        lineEnd,
        fc.constantFrom('', 'body', '\r\n', 'A: b\r\n\r\nbody'),
        (lines, end, body) => {
          const text = Buffer.from(`${lines.map((parts) => parts.join('')).join('')}${end}${body}`, 'latin1')
          const reference = readResponse(text, 'HEAD')
          const found = answerOf(text)
          if (typeof reference === 'string')
            assert.equal(found, null, `${reference}: ${JSON.stringify(text.toString('latin1'))}`)
          else {
            read += 1
            assert.equal(found?.status, reference.status)
            assert.equal(found.bodyAt, reference.headLength)
          }
        },
      ),
      { numRuns: 2_000 },
    )
    assert.ok(read > 50, `only ${read} of the answers are any`)
  })

  it('holds no more than 64 KiB and 1,000 lines, in whatever pieces they come', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 300 })), { minLength: 1, maxLength: 6 }),
        fc.nat({ max: 30_000 }),
        cuts,
        (blocks, size, at) => {
          const lines = blocks.flatMap(([count, length]) =>
            Array.from({ length: count }, () => `X: ${'v'.repeat(length)}`),
          )
          const text = `Y: ${'v'.repeat(size)}\n${lines.map((one) => `${one}\n`).join('')}\n`
          const fits = text.length <= 65_536 && lines.length + 1 <= 1_000
          const found = outcome(
            cutAt(
              Buffer.from(text),
              at.map((cut) => cut * 60),
            ),
          )
          assert.equal(found === 'ERR_FCGI_BAD_RESPONSE', !fits)
        },
      ),
      { numRuns: 200 },
    )
  })
})

/** Status of an answer and where its body begins, early hints left out; null: it is refused. */
function answerOf(text: Buffer): { readonly status: number; readonly bodyAt: number } | null {
  const parser = new ResponseHeadParser()
  try {
    let found = parser.push(text)
    while (found?.head.status === 103) found = parser.push(found.rest)
    if (found === null) return null
    contentLength(found.head.fields)
    return { status: found.head.status, bodyAt: text.length - found.rest.length }
  } catch (error) {
    assert.ok(error instanceof FastCgiError)
    return null
  }
}
