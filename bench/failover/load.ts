import { Agent, request } from 'node:http'

/** What to send, and how much of it. */
export interface LoadOptions {
  readonly port: number
  /** Clients, each of which sends its next request when it has the answer to the last one. */
  readonly clients: number
  /** Part of the requests that are POSTs, from 0 to 1. */
  readonly posts: number
}

/** What clients saw for a while. */
export interface LoadReport {
  readonly requests: number
  /** GETs that did not get the script's answer, each with what came instead. */
  readonly lostGets: readonly string[]
  /** The same of POSTs, which may happen. */
  readonly failedPosts: readonly string[]
  /** Milliseconds that each request took, ascending. */
  readonly durations: readonly number[]
}

/** Who answered: `pool process`. */
type Watcher = (pool: string, process: number) => boolean

/** Clients in a closed loop. A POST carries a number of its own, which the script writes to a log. */
export class Load {
  /** Numbers of the POSTs that were answered. */
  readonly answeredPosts: Set<string> = new Set()
  readonly #options: LoadOptions
  readonly #clients: readonly Promise<void>[]
  readonly #watchers = new Set<Watcher>()
  #stopped = false
  #sent = 0
  #lostGets: string[] = []
  #failedPosts: string[] = []
  #durations: number[] = []

  constructor(options: LoadOptions) {
    this.#options = options
    this.#clients = Array.from({ length: options.clients }, () => this.#loop())
  }

  /** Since the last call; a request belongs to the time when it ended. */
  report(): LoadReport {
    const durations = this.#durations.sort((one, other) => one - other)
    const report = {
      requests: durations.length,
      lostGets: this.#lostGets,
      failedPosts: this.#failedPosts,
      durations,
    }
    this.#durations = []
    this.#lostGets = []
    this.#failedPosts = []
    return report
  }

  /** Resolves when a process of a pool answers that is none of these, with the time (performance.now). */
  answerFrom(pool: string, others: readonly number[]): Promise<number> {
    return new Promise((resolve) => {
      this.#watchers.add((name, process) => {
        if (name !== pool || others.includes(process)) return false
        resolve(performance.now())
        return true
      })
    })
  }

  /** Resolves when the last answers have come. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#clients)
  }

  async #loop(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    while (!this.#stopped) await this.#turn(agent)
    agent.destroy()
  }

  async #turn(agent: Agent): Promise<void> {
    this.#sent += 1
    const number = String(this.#sent)
    const isPost = this.#sent % Math.round(1 / this.#options.posts) === 0
    const began = performance.now()
    const failure = await this.#ask(agent, isPost ? `id=${number}` : null)
    this.#durations.push(performance.now() - began)
    if (failure === null) {
      if (isPost) this.answeredPosts.add(number)
    } else (isPost ? this.#failedPosts : this.#lostGets).push(failure)
  }

  /** Null: answered by the script. */
  #ask(agent: Agent, body: string | null): Promise<string | null> {
    const form = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body?.length ?? 0 }
    const { port } = this.#options
    const [method, headers] = body === null ? ['GET', {}] : ['POST', form]
    return new Promise((resolve) => {
      const failed = ({ message }: Error): void => resolve(message)
      const req = request({ host: '127.0.0.1', port, path: '/index.php', method, headers, agent }, (res) => {
        let text = ''
        res.setEncoding('latin1')
        res.on('data', (piece: string) => {
          text += piece
        })
        res.on('end', () => resolve(this.#verdict(res.statusCode, text)))
        res.on('error', failed)
      })
      req.on('error', failed)
      req.end(body ?? undefined)
    })
  }

  #verdict(status: number | undefined, text: string): string | null {
    const [, pool, process] = /^(\w+) (\d+)\n$/.exec(text) ?? []
    if (status !== 200 || pool === undefined) return `${status} ${text.slice(0, 200)}`
    for (const watcher of this.#watchers) if (watcher(pool, Number(process))) this.#watchers.delete(watcher)
    return null
  }
}
