/** What a page was. */
export interface Page {
  readonly status: number
  readonly url: string
  readonly headers: Headers
  readonly body: Buffer
  readonly text: string
}

/** A person with a browser: keeps cookies by name, follows redirects, fills in forms. */
export class Browser {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()

  constructor(origin: string) {
    this.#origin = origin
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Page> {
    return this.#follow(path, { headers })
  }

  /** Sends a form as urlencoded, or as multipart when it is a FormData. */
  post(path: string, form: FormData | Readonly<Record<string, string>>): Promise<Page> {
    return this.#follow(path, { method: 'POST', body: form instanceof FormData ? form : new URLSearchParams(form) })
  }

  async #follow(path: string, init: RequestInit): Promise<Page> {
    let url = new URL(path, this.#origin)
    let step = init
    for (let hops = 0; hops < 10; hops++) {
      const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const headers = new Headers(step.headers)
      if (cookie !== '') headers.set('Cookie', cookie)
      const response = await fetch(url, { ...step, headers, redirect: 'manual' })
      for (const line of response.headers.getSetCookie()) this.#keep(line)
      const location = response.headers.get('location')
      const body = Buffer.from(await response.arrayBuffer())
      if (response.status < 301 || response.status > 303 || location === null) {
        return { status: response.status, url: url.href, headers: response.headers, body, text: body.toString('utf8') }
      }
      url = new URL(location, url)
      step = {}
    }
    throw new Error(`more than 10 redirects from ${path}`)
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(/;\s*/)
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals)
    const expires = attributes.find((attribute) => /^expires=/i.test(attribute))
    const gone = expires !== undefined && Date.parse(expires.slice('expires='.length)) < Date.now()
    if (gone || pair.slice(equals + 1) === 'deleted') this.#cookies.delete(name)
    else this.#cookies.set(name, pair.slice(equals + 1))
  }
}

/** The values of all hidden fields of a page's forms, the last of a name winning, as a browser would send them back. */
export function hiddenFields(html: string): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [tag] of html.matchAll(/<input\b[^>]*>/gi)) {
    if (attribute(tag, 'type') !== 'hidden') continue
    const name = attribute(tag, 'name')
    if (name !== undefined) fields[name] = attribute(tag, 'value') ?? ''
  }
  return fields
}

function attribute(tag: string, name: string): string | undefined {
  const match = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i').exec(tag)
  const value = match?.[1] ?? match?.[2] ?? match?.[3]
  return value?.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}
