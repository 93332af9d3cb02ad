import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Backend, startBackend, startOnFreePort } from '../test/support/backend.ts'
import { startPhpFpm } from '../test/support/php-fpm.ts'
import { privateDirectory } from '../test/support/private-directory.ts'
import { PAUSE, type ResponderName } from './cases.ts'

/** Bytes of a small answer. */
export const SMALL_ANSWER = 100

/** As many children as there are clients: the floor keeps a connection for each, and each pins a child. */
const PHP_CHILDREN = 32

/** A backend at both its addresses. */
export interface Responder {
  readonly path: string
  readonly host: string
  readonly port: number
}

/** The applications behind the gateways, each started when the first case needs it. */
export class Responders {
  readonly #command: readonly string[]
  readonly #bodyBytes: number
  readonly #root: string
  readonly #started = new Map<ResponderName, Responder>()
  readonly #backends: Backend[] = []

  constructor({ command, bodyBytes, root }: { command: readonly string[]; bodyBytes: number; root: string }) {
    this.#command = command
    this.#bodyBytes = bodyBytes
    this.#root = root
  }

  async get(name: ResponderName): Promise<Responder> {
    const known = this.#started.get(name)
    if (known !== undefined) return known
    const responder = name === 'php' ? await this.#startPhp() : await this.#start(this.#arguments(name))
    this.#started.set(name, responder)
    return responder
  }

  async stop(): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.stop()))
  }

  #arguments(name: Exclude<ResponderName, 'php'>): readonly string[] {
    switch (name) {
      case 'small':
        return [`bytes=${SMALL_ANSWER}`]
      case 'pausing':
        return [`bytes=${SMALL_ANSWER}`, `pause=${PAUSE}`]
      case 'down':
        return [`bytes=${this.#bodyBytes}`]
      case 'downSmallRecords':
        return [`bytes=${this.#bodyBytes}`, 'record=8184']
      case 'rawDown':
        return [`bytes=${this.#bodyBytes}`, 'raw=1']
      case 'rawUp':
        return [`bytes=${SMALL_ANSWER}`, 'raw=1']
    }
  }

  async #start(args: readonly string[]): Promise<Responder> {
    const [file = '', ...before] = this.#command
    const backend = await startOnFreePort((port) => {
      const directory = privateDirectory('bench')
      const path = join(directory.path, 'fcgi.sock')
      const address = `127.0.0.1:${port}`
      return startBackend({ file, arguments: [...before, ...args, `unix=${path}`, `port=${port}`], address, directory })
    })
    this.#backends.push(backend)
    const port = Number(backend.address.split(':')[1])
    return { path: join(backend.directory, 'fcgi.sock'), host: '127.0.0.1', port }
  }

  async #startPhp(): Promise<Responder> {
    writeFileSync(join(this.#root, 'index.php'), `<?php echo str_repeat('x', ${SMALL_ANSWER});\n`)
    const backend = await startPhpFpm({ children: PHP_CHILDREN })
    this.#backends.push(backend)
    return { path: backend.address, host: '', port: 0 }
  }
}
