import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { requestedFormat } from '../../../lib/status/format.ts'

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'
const SCRAPER =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,' +
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'

describe('the format of a status', () => {
  const rows: readonly (readonly [string, string | undefined, string | null])[] = [
    ['/', undefined, 'html'],
    ['/', '*/*', 'html'],
    ['/', BROWSER, 'html'],
    ['/', 'application/json', 'json'],
    ['/', 'Application/JSON, text/html;q=0.5', 'json'],
    ['/', 'text/html;q=0.5, application/json;q=0.4', 'html'],
    ['/', 'text/html;q=0, application/json;q=0.1', 'json'],
    ['/', 'text/html;q=0.4, application/json;q=0.5', 'json'],
    ['/', SCRAPER, 'prometheus'],
    ['/', 'text/plain; version=0.0.4', 'prometheus'],
    ['/', 'application/openmetrics-text', 'prometheus'],
    ['/', 'text/plain', 'html'],
    ['/', 'image/png', 'html'],
    ['/', 'application/json;q=x', 'html'],
    ['/', '__proto__, constructor', 'html'],
    ['/?format=json', BROWSER, 'json'],
    ['/?a=b&format=prometheus', BROWSER, 'prometheus'],
    ['/any/path?format=html', 'application/json', 'html'],
    ['/?format=xml', BROWSER, null],
    ['/?format=', BROWSER, null],
    ['?format=%6Ason', undefined, 'json'],
  ]
  for (const [url, accept, expected] of rows) {
    it(`of ${url} with ${accept?.slice(0, 60)} is ${expected}`, () =>
      assert.equal(requestedFormat(url, accept), expected))
  }
})
