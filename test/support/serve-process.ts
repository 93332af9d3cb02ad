import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { eventually } from './eventually.ts'
import { type PrivateDirectory, privateDirectory } from './private-directory.ts'

/** The built command line. */
export const program: string = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** An `express-fastcgi serve` of its own. */
export interface ServeProcess extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  /** What it has written to stdout and stderr. */
  output(): string
  kill(signal: NodeJS.Signals): void
  /** Resolves with the exit code, or the signal, when it has ended. */
  readonly ended: Promise<number | NodeJS.Signals | null>
  /** The ids of all processes that it has started, it among them. */
  processes(): readonly number[]
  /** The files that it has left in its temporary directory. */
  files(): readonly string[]
  /** Ends it, if it runs still, and waits until nothing of it is left. */
  stop(): Promise<void>
}

/** How to run `serve`. */
export interface ServeOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** Another main.js than that of dist. */
  readonly main?: string
}

/** Starts `express-fastcgi serve` on a free port and waits for its URL; fails with its output if it ends before that. */
export async function startServe(args: readonly string[], options: ServeOptions = {}): Promise<ServeProcess> {
  const running = spawnServe(['--port', '0', ...args], options)
  const url = await running.url
  return { ...running, url }
}

/** Runs `express-fastcgi serve` to its end. */
export async function runServe(
  args: readonly string[],
  options: ServeOptions = {},
): Promise<{ readonly code: number | NodeJS.Signals | null; readonly output: string }> {
  const { ended, output, url, stop } = spawnServe(args, options)
  url.catch(() => undefined)
  const code = await ended
  await stop()
  return { code, output: output() }
}

type Running = Omit<ServeProcess, 'url'> & { readonly url: Promise<string> }

function spawnServe(args: readonly string[], { environment, cwd, main = program }: ServeOptions): Running {
  if (!existsSync(main)) throw new Error('run `npm run build` first')
  const directory = privateDirectory('serve')
  const child = spawn(process.execPath, [main, 'serve', ...args], {
    cwd,
    // A temporary directory of its own tells its processes and files from all others.
    env: { ...process.env, TMPDIR: directory.path, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const pid = child.pid ?? 0
  directory.adopt(pid)
  const output = collect(child)
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  const processes = (): readonly number[] => processesOf(directory)
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await ended
    await eventually('no process is left', () => processes().length === 0)
    directory.remove()
  }
  return {
    url: firstUrl(child, ended, output),
    pid,
    output,
    ended,
    processes,
    kill: (signal) => process.kill(pid, signal),
    files: () => readdirSync(directory.path),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

function collect(child: ChildProcess): () => string {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return () => output
}

function firstUrl(child: ChildProcess, ended: Promise<unknown>, output: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', () => {
      const url = /^(http:\/\/\S+:\d+)\/ \(/m.exec(output())?.[1]
      if (url !== undefined) resolve(url)
    })
    ended.then((code) => reject(new Error(`it ended (${code}) without a URL:\n${output()}`)))
  })
}

/** Whoever has the directory in its environment or command line, but for the directory's own watchdog. */
function processesOf({ path }: PrivateDirectory): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const command = read(`/proc/${pid}/cmdline`)
      return !command.includes('watchdog') && (command.includes(path) || read(`/proc/${pid}/environ`).includes(path))
    })
    .map(Number)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    // It ended while we looked.
    return ''
  }
}
