import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Chart, drawChart, peakOf, stacked, type Trace } from '../../../lib/status/chart.ts'

const over = { times: [0, 1000, 2000, 3000], end: 3000, span: 3000, points: 300 }

function paths(values: Trace['values'], kind: Trace['kind'], facts: Partial<Chart> = {}): string {
  const { html } = drawChart({ traces: [{ name: 'busy', kind, values }], label: '', ceiling: 1, ...facts }, over)
  return /<path class="\w+ busy" d="([^"]*)"/.exec(html)?.[1] ?? 'none'
}

describe('drawChart', () => {
  it('draws the present at the right edge and the ceiling just below the top', () => {
    assert.equal(paths([0, 5, 10, 5], 'line'), 'M0 56l100-27 100-27 100 27')
  })

  it('draws a low line low below a high ceiling', () => {
    assert.equal(paths([0, 0, 1, 1], 'line', { ceiling: 100 }), 'M0 56l100 0 100-0.5 100 0')
  })

  it('interrupts a line where a value is missing, and shows a lone one as a dot', () => {
    assert.equal(paths([1, null, 1, 1], 'line'), 'M0 2h0M200 2l100 0')
  })

  it('closes an area on the ground', () => {
    assert.equal(paths([null, 1, 1, null], 'area'), 'M100 56V2l100 0V56z')
  })

  it('draws a bar that is seen for the smallest value, and none for 0', () => {
    assert.equal(paths([0, 1, null, 100], 'bars'), 'M100 56V42M300 56V2')
    assert.equal(paths([0, 1, null, 100_000], 'bars'), 'M100 56V42M300 56V2')
  })

  it('keeps small values apart from large ones on a logarithmic scale', () => {
    assert.equal(paths([0, 9, 99, 999], 'line', { logarithmic: true }), 'M0 56l100-18 100-18 100-18')
  })

  it('leaves out what is older than the span', () => {
    const { html } = drawChart(
      { traces: [{ name: 'busy', kind: 'line', values: [1, 1] }], label: '', ceiling: 1 },
      { ...over, times: [-1, 1500] },
    )
    assert.match(html, / d="M150 2h0"/)
  })

  it('merges samples beyond its points, and draws whole units then', () => {
    const { html } = drawChart(
      { traces: [{ name: 'busy', kind: 'line', values: [3, 9, 10, 4] }], label: '', ceiling: 1 },
      { ...over, points: 3 },
    )
    assert.match(html, / d="M0 7l200-5 100 32"/)
  })

  it('says in words what it shows, escaped', () => {
    assert.match(
      drawChart({ traces: [], label: '"<5>"', ceiling: 1 }, over).html,
      / aria-label="&quot;&lt;5&gt;&quot;">/,
    )
  })
})

describe('stacked', () => {
  it('adds what is there', () => assert.deepEqual(stacked([1, null, 3], [10, 20, null]), [11, null, null]))
})

describe('peakOf', () => {
  it('is the largest value, 0 of none', () =>
    assert.deepEqual([peakOf([1, null, 7, 3]), peakOf([null]), peakOf([])], [7, 0, 0]))
})
