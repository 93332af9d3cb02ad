import { rename } from 'node:fs/promises'
import { type FastCgiHandler, type FastCgiOptions, fastcgi, type ServerOptions } from '../../lib/index.ts'
import { type Fake, type FakeScript, startFake } from './responder.ts'
import { bodyOf, rawClient, statusOf } from './responder-site.ts'
import { listen } from './site.ts'

/** An answer as a client saw it. */
export interface SeenAnswer {
  readonly status: number
  /** The name of the backend that answered. */
  readonly from: string | null
  readonly raw: string
}

/** A fake backend that can be broken and mended. */
export interface Breakable {
  readonly name: string
  readonly fake: Fake
  /** What it does with requests; it answers with its name at first. */
  script: FakeScript
  /** As configured. */
  readonly options: ServerOptions
  /** Nobody listens there any more, until {@link comeBack}. */
  goAway(): Promise<void>
  comeBack(): Promise<void>
  /** How often it has seen a URL. */
  count(url: string): number
}

/** A gateway behind node:http before several fake backends called a, b, c… */
export interface ManySite extends AsyncDisposable {
  readonly backends: readonly Breakable[]
  readonly handler: FastCgiHandler
  readonly port: number
  readonly log: string[]
  /** The configuration, to be changed and loaded again. */
  readonly options: FastCgiOptions
  ask(url: string, method?: string, client?: string): Promise<SeenAnswer>
}

/** How {@link manySite} is made. */
export interface ManySiteOptions extends Omit<FastCgiOptions, 'server' | 'servers' | 'logger'> {
  /** One for each backend. */
  readonly servers: readonly Partial<ServerOptions>[]
}

/** A client may say by X-Forwarded-For who it is. */
export async function manySite({ servers, ...location }: ManySiteOptions): Promise<ManySite> {
  const backends = await Promise.all(
    servers.map((options, index) => breakable(String.fromCharCode(97 + index), options)),
  )
  const log: string[] = []
  const note = (message: string): void => void log.push(message)
  const options: FastCgiOptions = {
    scriptFilename: '/app/x.php',
    match: /^/,
    trustProxy: true,
    ...location,
    servers: backends.map((backend) => backend.options),
    logger: { error: note, warn: note, info: note },
  }
  const handler = fastcgi(options)
  const site = await listen((req, res) => handler(req, res))
  return {
    backends,
    handler,
    port: site.port,
    log,
    options,
    async ask(url, method = 'GET', client = '192.0.2.1') {
      const body = method === 'GET' ? '' : 'Content-Length: 4\r\n'
      const head = `${method} ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: ${client}\r\n${body}\r\n`
      const raw = await rawClient(site.port, method === 'GET' ? head : `${head}body`).end()
      return { status: statusOf(raw), from: statusOf(raw) === 200 ? bodyOf(raw) : null, raw }
    },
    async [Symbol.asyncDispose]() {
      for (const { fake } of backends) for (const { connection } of fake.requests) connection.close()
      await site.close()
      await handler.close()
      for (const { fake } of backends) {
        fake.failures.length = 0
        await fake.stop()
      }
    },
  }
}

async function breakable(name: string, options: Partial<ServerOptions>): Promise<Breakable> {
  const fake = await startFake((request) => one.script(request))
  const away = `${fake.address}-away`
  const one: Breakable = {
    name,
    fake,
    script: (request) => request.answer(`Content-Type: text/plain\r\n\r\n${name}`),
    options: { name, address: fake.address, ...options },
    goAway: () => rename(fake.address, away),
    comeBack: () => rename(away, fake.address),
    count: (url) => fake.requests.filter(({ params }) => params.get('REQUEST_URI') === url).length,
  }
  return one
}

/** Holds requests until the test lets them go. */
export class Held {
  readonly #waiting: (() => void)[] = []

  get length(): number {
    return this.#waiting.length
  }

  script(then: FakeScript): FakeScript {
    return async (request) => {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
      await then(request)
    }
  }

  /** The first one that came goes on. */
  letGo(): void {
    this.#waiting.shift()?.()
  }

  letAllGo(): void {
    for (const go of this.#waiting.splice(0)) go()
  }
}
