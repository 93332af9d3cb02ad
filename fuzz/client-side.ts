import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { startPhpFpm } from '../test/support/php-fpm.ts'
import { type PrivateDirectory, privateDirectory } from '../test/support/private-directory.ts'
import { pathOf } from '../test/support/require-backend.ts'
import { type CanaryTree, makeCanaryTree } from './canaries.ts'
import { CLIENT_SETUPS, PROBED_HOST, setupOf } from './client-setups.ts'
import { type EchoBackend, startEcho } from './echo-backend.ts'
import { GatewayProcess } from './gateway-process.ts'
import { readAnswers } from './http-answers.ts'
import type { Random } from './random.ts'
import { type Exchanged, exchange } from './raw-client.ts'
import { isOrderly, type RequestCase, stepsOfCase } from './request-case.ts'
import { makeCase } from './request-grammar.ts'
import { echoOf, type RequestRules, verdictOfRequests } from './request-verdict.ts'
import type { Setting, Side } from './side.ts'
import { simplerCases } from './simpler-cases.ts'

/** Milliseconds after which a client that stays must have been answered or closed: beyond all timeouts of the gateway. */
const PATIENCE = 20_000

/** Milliseconds of silence after which nothing more is awaited where nobody can tell how many answers are due. */
const QUIET = 60

/** Hostile clients before a gateway with a backend that is well. */
export class ClientSide implements Side<RequestCase> {
  readonly name = 'client'
  readonly settings: readonly string[] = Object.keys(CLIENT_SETUPS)
  readonly #directory: PrivateDirectory = privateDirectory('fuzz')
  readonly #trees: readonly [plain: CanaryTree, linked: CanaryTree]
  #php: Promise<EchoBackend> | null = null

  constructor() {
    const folder = realpathSync(this.#directory.path)
    const makeIn = (name: string, withLinks: boolean): CanaryTree => {
      mkdirSync(join(folder, name))
      return makeCanaryTree(join(folder, name), withLinks)
    }
    this.#trees = [makeIn('plain', false), makeIn('linked', true)]
  }

  make(random: Random, caseNumber: number): RequestCase {
    return makeCase(random, caseNumber)
  }

  simpler(one: RequestCase): Iterable<RequestCase> {
    return simplerCases(one)
  }

  async open(name: string): Promise<Setting<RequestCase>> {
    const setup = CLIENT_SETUPS[name]
    if (setup === undefined) throw new Error(`There is no setting ${name}`)
    const tree = this.#trees[setup.links ? 1 : 0]
    const isReal = setup.backend === 'real' && hasPhp()
    const backend = isReal ? await this.#startPhp() : await startEcho()
    const { root } = tree
    const gateway = await GatewayProcess.start(setupOf(setup, { root, address: backend.address }))
    const opened = new ClientSetting({
      gateway,
      backend,
      probe: `${setup.mount === '/' ? '' : setup.mount}/echo.php`,
      rules: { tree, ini: null, othersSendFiles: setup.staticBehind },
      release: () => (isReal ? Promise.resolve() : backend.stop()),
    })
    await opened.learn()
    return opened
  }

  async close(): Promise<void> {
    const php = await this.#php
    await php?.stop()
    this.#directory.remove()
  }

  /** One for all settings. */
  #startPhp(): Promise<EchoBackend> {
    this.#php ??= startPhpFpm({ children: 4 }).then((php) => ({
      address: php.address,
      problem: () => null,
      stop: () => php.stop(),
    }))
    return this.#php
  }
}

/** Without php-fpm a backend of our own does, but not where everything must be tried. */
function hasPhp(): boolean {
  if (process.env.CI) return true
  try {
    return pathOf('php-fpm') !== ''
  } catch {
    // Not installed.
    return false
  }
}

interface ClientSettingParts {
  readonly gateway: GatewayProcess
  readonly backend: EchoBackend
  /** Path of a script that answers with an echo. */
  readonly probe: string
  readonly rules: RequestRules
  release(): Promise<void>
}

class ClientSetting implements Setting<RequestCase> {
  readonly #parts: ClientSettingParts
  #rules: RequestRules
  #probes = 0

  constructor(parts: ClientSettingParts) {
    this.#parts = parts
    this.#rules = parts.rules
  }

  /** Sees how PHP is set where nobody meddles, and what the gateway holds then. */
  async learn(): Promise<void> {
    for (let warm = 0; warm < 20; warm += 1) await this.#ask('learn')
    const echo = echoOf(
      readAnswers((await this.#ask('learn')).received, ['GET'], 'end').answers[0]?.body ?? Buffer.alloc(0),
    )
    if (echo === null) throw new Error('The gateway does not answer a good request')
    this.#rules = { ...this.#rules, ini: echo.ini }
    const problem = await this.check()
    if (problem !== null) throw new Error(problem)
  }

  async run(one: RequestCase): Promise<string | null> {
    const methods = one.requests.map(({ method }) => method)
    const orderly = isOrderly(one)
    const exchanged = await exchange(this.#parts.gateway.port, stepsOfCase(one), {
      satisfied: (received) => orderly && wholeAnswers(received, methods) >= methods.length,
      quiet: orderly ? null : QUIET,
      limit: PATIENCE,
    })
    return verdictOfRequests(one, exchanged, this.#rules)
  }

  async check(): Promise<string | null> {
    const problem = (await this.#parts.gateway.problem()) ?? this.#parts.backend.problem()
    if (problem !== null) return problem
    this.#probes += 1
    const { received } = await this.#ask(`probe-${this.#probes}`)
    const [answer] = readAnswers(received, ['GET'], 'end').answers
    const echo = answer === undefined ? null : echoOf(answer.body)
    if (echo?.server.QUERY_STRING === `probe-${this.#probes}`) return null
    return `the next good request got ${JSON.stringify(received.toString('latin1').slice(0, 500))}`
  }

  async close(): Promise<void> {
    await this.#parts.gateway.stop()
    await this.#parts.release()
  }

  #ask(query: string): Promise<Exchanged> {
    const text = `GET ${this.#parts.probe}?${query} HTTP/1.1\r\nHost: ${PROBED_HOST}\r\nConnection: close\r\n\r\n`
    const patience = { satisfied: () => false, quiet: null, limit: PATIENCE }
    return exchange(this.#parts.gateway.port, [{ kind: 'send', bytes: text }], patience)
  }
}

function wholeAnswers(received: Buffer, methods: readonly string[]): number {
  return readAnswers(received, methods, 'open').answers.filter(({ complete }) => complete).length
}
