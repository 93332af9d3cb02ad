import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { channels } from '../../../lib/diagnostics.ts'
import { METRICS } from '../../../lib/status/metrics.ts'
import { gatewayOf } from './gateway.ts'

const text = readFileSync(new URL('../../../docs/observability.md', import.meta.url), 'utf8')

describe('docs/observability.md', () => {
  it('has every metric with its type, its labels and what it is', () => {
    const rows = [...text.matchAll(/^\| `(express_fastcgi_\w+)` \| (\w+) \| (.+) \| (.+) \|$/gm)].map((row) =>
      row.slice(1),
    )
    const expected = METRICS.map(({ name, type, help, values }) => {
      const labels = Object.keys(values(gatewayOf().status())[0]?.labels ?? {})
      return [name, type, labels.join(', ') || '–', help]
    })
    assert.deepEqual(rows, expected)
  })

  it('has every channel', () => {
    const names = [...text.matchAll(/^\| `(express-fastcgi:[\w:]+)` \|/gm)].map(([, name = '']) => name)
    assert.deepEqual(
      names.sort(),
      Object.values(channels)
        .map(({ name }) => name)
        .sort(),
    )
  })
})
