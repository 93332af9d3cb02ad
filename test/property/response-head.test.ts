import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ResponseHeadParser } from '../../lib/cgi/response-head.ts'
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
})
