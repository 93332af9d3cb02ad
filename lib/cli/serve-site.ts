import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { channels, type FastCgiHandler, type FastCgiOptions, type RequestStartMessage } from '../index.ts'
import { isLoopback, listenOn } from './serve-listen.ts'
import type { SiteLog } from './serve-log.ts'
import { fillEmptyFailure, type SiteFacts, sendError, sendNotFound } from './serve-pages.ts'

/** What a site is made of. */
export interface SiteOptions {
  readonly php: FastCgiHandler
  readonly log: SiteLog
  /** What runs the scripts; null: the log tells the location instead. */
  readonly backend: string | null
  readonly root: string | null
  readonly frontController: string | null
}

/** What becomes of a request. */
interface Course {
  /** That ran a script; null: none did. */
  location: string | null
  passed: boolean
}

/** An HTTP server with PHP, static files, a log and pages for what goes wrong. */
export class Site {
  readonly #options: SiteOptions
  readonly #server: Server
  /** Which course a request's events belong to: the handler tells them in the request's own context. */
  readonly #courses = new AsyncLocalStorage<Course>()
  #facts: SiteFacts
  #active = 0
  #draining = false

  constructor(options: SiteOptions) {
    const { root, frontController } = options
    this.#options = options
    this.#facts = { root, frontController, isLoopback: false }
    this.#server = createServer({ keepAliveTimeout: IDLE }, (req, res) => this.#serve(req, res))
    subscribe(channels.requestStart.name, this.#onScript)
  }

  /** Requests under way. */
  get active(): number {
    return this.#active
  }

  /** Resolves with where it listens. @throws Error that says why it cannot */
  async listen(port: number, host: string): Promise<AddressInfo> {
    const address = await listenOn(this.#server, { port, host })
    this.#facts = { ...this.#facts, isLoopback: isLoopback(address.address) }
    return address
  }

  /**
   * Serves with other options from the next request on; unless it `tells`, another process does.
   * @throws Error why it cannot: the old ones serve on
   */
  reload(options: FastCgiOptions, { tells }: { readonly tells: boolean }): void {
    const { php, log } = this.#options
    const reload = (): void => php.reload({ ...options, logger: log })
    if (tells) reload()
    else log.silently(reload)
  }

  /** Whether requests go, or are still under way, to the backend at an address. */
  uses(address: string): boolean {
    return this.#options.php.status().servers.some((server) => server.address === address)
  }

  /** Takes no new connection, finishes what runs, then closes the connections to the backend. */
  async drain(): Promise<void> {
    this.#draining = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    await closed
    await this.#options.php.close()
    unsubscribe(channels.requestStart.name, this.#onScript)
  }

  readonly #onScript = (message: unknown): void => {
    const course = this.#courses.getStore()
    if (course !== undefined) course.location = (message as RequestStartMessage).location
  }

  #serve(req: IncomingMessage, res: ServerResponse): void {
    const course: Course = { location: null, passed: false }
    this.#watch(req, res, course)
    fillEmptyFailure(req, res, { site: this.#facts, stderr: () => this.#options.log.stderrOf(req) })
    this.#courses.run(course, () => {
      this.#options.php(req, res, (error) => {
        course.passed = true
        if (error === undefined) sendNotFound(req, res, this.#facts)
        else sendError(req, res, { error, site: this.#facts })
      })
    })
  }

  #watch(req: IncomingMessage, res: ServerResponse, course: Course): void {
    const { log } = this.#options
    const began = performance.now()
    this.#active += 1
    log.begin(req)
    res.once('close', () => {
      this.#active -= 1
      const duration = performance.now() - began
      const broken = !res.writableFinished
      const status = broken && !res.headersSent ? CLIENT_GONE : res.statusCode
      // After the last of its STDERR, which is logged when the exchange is over.
      setImmediate(() => log.end({ req, status, duration, backend: this.#backendOf(course), broken }))
      // A connection that was busy when the server closed is idle only now.
      if (this.#draining) setImmediate(() => this.#server.closeIdleConnections())
    })
  }

  #backendOf({ location, passed }: Course): string {
    if (location !== null) return this.#options.backend ?? location
    return passed ? '-' : 'static'
  }
}

/** What nginx's log says of a client that left before the answer. */
const CLIENT_GONE = 499

/**
 * How long a client's connection may be idle: longer than a balancer lets it (nginx and the clouds' usual 60 s). Closed by us while
 * a request is on its way, it would be a 502 there. Milliseconds.
 */
const IDLE = 75_000
