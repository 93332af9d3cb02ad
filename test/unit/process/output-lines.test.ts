import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { readLines } from '../../../lib/process/output-lines.ts'

async function linesOf(...pieces: readonly (string | Buffer)[]): Promise<readonly string[]> {
  const lines: string[] = []
  const output = Readable.from(pieces.map((piece) => Buffer.from(piece)))
  readLines(output, (line) => lines.push(line))
  await new Promise((resolve) => output.once('close', resolve))
  return lines
}

describe('readLines', () => {
  it('tells whole lines, however they come', async () => {
    assert.deepEqual(await linesOf('a', 'b\nc\r', '\n\n', 'd'), ['ab', 'c', 'd'])
    const bytes = Buffer.from('ü\n')
    assert.deepEqual(await linesOf(bytes.subarray(0, 1), bytes.subarray(1)), ['ü'])
  })

  it('holds no more than a piece of an endless line', async () => {
    const lines = await linesOf(
      ...Array.from({ length: 100 }, () => 'x'.repeat(1000)),
      '\n',
      'y'.repeat(20_000),
      '\nz\n',
    )
    assert.ok(lines.every((line) => line.length <= 10_000))
    assert.equal(lines.join(''), `${'x'.repeat(100_000)}${'y'.repeat(20_000)}z`)
  })
})
