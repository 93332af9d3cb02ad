/** What a status may be asked for as. */
export type StatusFormat = 'html' | 'json' | 'prometheus'

const FORMATS: readonly StatusFormat[] = ['html', 'json', 'prometheus']

/** Of a media type without its parameters, in small letters. */
const MEDIA_TYPES: ReadonlyMap<string, StatusFormat> = new Map(
  Object.entries({
    'text/html': 'html',
    'text/*': 'html',
    '*/*': 'html',
    'application/json': 'json',
    'application/*': 'json',
    'application/openmetrics-text': 'prometheus',
  } as const),
)

/** What a request asks for: `?format=` before the Accept header, of which the highest q wins, the first of equals. Null: a format that there is not. */
export function requestedFormat(url: string, accept: string | undefined): StatusFormat | null {
  const question = url.indexOf('?')
  const format = question === -1 ? null : new URLSearchParams(url.slice(question + 1)).get('format')
  if (format !== null) return FORMATS.find((known) => known === format) ?? null
  return acceptedFormat(accept ?? '*/*')
}

/** Who accepts nothing of ours gets the page (RFC 9110 section 12.4.1 allows it). */
function acceptedFormat(accept: string): StatusFormat {
  const ranges = accept.split(',').map(parseRange)
  const wanted = ranges.filter(({ quality }) => quality > 0).toSorted((a, b) => b.quality - a.quality)
  for (const { format } of wanted) if (format !== null) return format
  return 'html'
}

function parseRange(range: string): { readonly format: StatusFormat | null; readonly quality: number } {
  const [type = '', ...parameters] = range.toLowerCase().replace(/\s/g, '').split(';')
  const quality = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)
  // A scraper's text/plain has a version; anybody else's is no wish for metrics.
  const isMetrics = type === 'text/plain' && parameters.some((parameter) => parameter.startsWith('version='))
  return {
    format: isMetrics ? 'prometheus' : (MEDIA_TYPES.get(type) ?? null),
    quality: Number.isNaN(quality) ? 0 : quality,
  }
}
