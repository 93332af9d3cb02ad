import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** A script of ours (an example, a block of the README) that serves HTTP, in a process of its own. */
export interface ServingProcess {
  readonly url: string
  /** What it has written to stdout and stderr. */
  output(): string
  kill(signal: NodeJS.Signals): void
  /** Resolves with the exit code when it has ended. */
  readonly ended: Promise<number | null>
  stop(): Promise<void>
}

/** Where a script runs. */
export interface ServingOptions {
  readonly args?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Starts `node SCRIPT` with PORT=0 and waits for the URL that it prints; fails with its output if it ends before that. */
export async function startServing(script: string, options: ServingOptions = {}): Promise<ServingProcess> {
  const child = spawn(process.execPath, [script, ...(options.args ?? [])], {
    env: { ...process.env, PORT: '0', ...options.environment },
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = (): void => void child.kill('SIGTERM')
  process.once('exit', kill)
  const ended = once(child, 'close').then(([code]) => {
    process.removeListener('exit', kill)
    return code as number | null
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const url = await firstUrl(child, ended, () => output)
  return {
    url,
    output: () => output,
    kill: (signal) => void child.kill(signal),
    ended,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function firstUrl(child: ChildProcess, ended: Promise<unknown>, output: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', () => {
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output())?.[0]
      if (url !== undefined) resolve(url)
    })
    ended.then((code) => reject(new Error(`it ended (${code}) without a URL:\n${output()}`)))
  })
}

/** Runs `node SCRIPT` to its end; fails with its output unless that is 0. */
export async function runScript(
  script: string,
  options: { readonly cwd: string; readonly args?: readonly string[] },
): Promise<void> {
  const child = spawn(process.execPath, [script, ...(options.args ?? [])], {
    cwd: options.cwd,
    // A test inside the script must not report to the runner that we run under.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${script} ended with ${code}:\n${output}`)
}
