import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { markup } from '../../../lib/status/markup.ts'

describe('markup', () => {
  it('escapes text wherever it stands', () => {
    const text = `<script>alert("1" & '2')</script>`
    const escaped = '&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;'
    assert.equal(markup`<p title="${text}">${text}</p>`.html, `<p title="${escaped}">${escaped}</p>`)
  })

  it('takes markup, lists and numbers as they are, and null as nothing', () => {
    assert.equal(
      markup`<ul>${['a<', 'b'].map((one) => markup`<li>${one}`)}</ul>${null}${1.5}`.html,
      '<ul><li>a&lt;<li>b</ul>1.5',
    )
  })

  it('escapes a text that looks like a list', () => {
    assert.equal(markup`${['<', ['>', null]]}`.html, '&lt;&gt;')
  })
})
