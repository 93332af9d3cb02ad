import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nearest } from '../../../lib/options/nearest.ts'

describe('nearest', () => {
  const known = ['keepAlive', 'root', 'match', 'readTimeout', 'sendTimeout'].map((name) => [name, name] as const)

  it('finds a name with a slip of the pen, whatever the case', () => {
    assert.equal(nearest('keepalife', known), 'keepAlive')
    assert.equal(nearest('READTIMEOUT', known), 'readTimeout')
    assert.equal(nearest('rot', known), 'root')
  })

  it('finds none for a word that is far from all', () => {
    assert.equal(nearest('colour', known), undefined)
    assert.equal(nearest('x'.repeat(100_000), known), undefined)
  })
})
