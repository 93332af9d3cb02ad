import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Address } from '../../lib/client/address.ts'
import type { Zone } from '../fixtures/names/name-server.ts'
import { eventually } from '../support/eventually.ts'
import { privateDirectory } from '../support/private-directory.ts'

/** Of no one (RFC 2606), so that only our files and our name server know it. */
const NAME = 'php.fleet.test'

const WATCH = fileURLToPath(new URL('../fixtures/names/watch.ts', import.meta.url))
const GIVE_UP = fileURLToPath(new URL('../fixtures/names/give-up.ts', import.meta.url))

/** Files and network of its own for a program; `-r` makes anyone root there. */
const OWN_SYSTEM = process.getuid?.() === 0 ? ['-mn'] : ['-Urmn']

/** Puts the files of a directory in place of those in /etc, then becomes the program. */
const ENTER = `ip link set lo up && cd "$1" && for file in *; do mount --bind "$file" "/etc/$file" || exit; done
cd "$2" && shift 2 && exec "$@"`

const files = privateDirectory('names')
after(() => files.remove())

/** A NameWatch in a process whose system knows only what this test says. */
interface Watching {
  /** The hosts that it has told last. */
  readonly hosts: readonly string[]
  readonly errors: readonly { readonly code: string; readonly detail: string }[]
  readonly send: (message: 'ready' | 'close' | { readonly zone: Zone }) => void
  /** With its exit code. */
  readonly ended: Promise<number | null>
}

function writeFile(name: string, ...lines: string[]): void {
  writeFileSync(join(files.path, name), `${lines.join('\n')}\n`)
}

function enter(...command: string[]): readonly [string, string[]] {
  return ['unshare', [...OWN_SYSTEM, 'sh', '-c', ENTER, 'enter', files.path, process.cwd(), ...command]]
}

const running = new Set<ChildProcess>()

async function watch(host: string, interval?: number): Promise<Watching> {
  const words = [process.execPath, '--import', 'tsx', WATCH, host, ...(interval === undefined ? [] : [`${interval}`])]
  const child = spawn(...enter(...words), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  running.add(child)
  const ended = once(child, 'exit').then(([code]) => code)
  const watching = { hosts: [] as string[], errors: [] as Watching['errors'][number][] }
  const started = new Promise<void>((resolve, reject) => {
    ended.then(() => reject(new Error('the program ended at once')))
    child.on('message', (message: { addresses: Address[] } | { code: string; detail: string } | { started: true }) => {
      if ('addresses' in message) watching.hosts = message.addresses.map((one) => (one.kind === 'tcp' ? one.host : ''))
      else if ('code' in message) watching.errors.push(message)
      else resolve()
    })
  })
  await started
  return Object.assign(watching, { send: (message: object | string) => void child.send(message), ended })
}

function becomes(watching: Watching, ...expected: string[]): Promise<void> {
  return eventually(`the addresses become ${expected}`, () => String(watching.hosts) === String(expected))
}

writeFile('hosts', '127.0.0.1 localhost')
writeFile('resolv.conf', 'nameserver 127.0.0.1', 'search fleet.test', 'options timeout:1 attempts:1')
if (existsSync('/etc/nsswitch.conf')) writeFile('nsswitch.conf', 'hosts: files dns')

/** Skipped by name where files and network of its own are not allowed; with CI set that is a failure. */
function ownSystem(title: string, suite: () => void): void {
  const { status, stderr, error } = spawnSync(...enter('true'), { encoding: 'utf8' })
  if (status === 0) return void describe(title, suite)
  const complaint = `a private /etc is not possible here (${error?.message ?? stderr.trim()})`
  if (!process.env.CI) console.warn(`SKIPPED: ${title}: ${complaint}`)
  it(title, { skip: process.env.CI ? false : `SKIPPED: ${complaint}` }, () => {
    throw new Error(`CI is set, and ${complaint}`)
  })
}

ownSystem('the addresses of a name', () => {
  afterEach(async () => {
    writeFile('hosts', '127.0.0.1 localhost')
    for (const child of running) {
      if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
    }
    running.clear()
  })

  it('follow /etc/hosts', async () => {
    writeFile('hosts', `192.0.2.1 ${NAME}`)
    const watching = await watch(NAME, 50)
    watching.send('ready')
    await becomes(watching, '192.0.2.1')
    writeFile('hosts', `192.0.2.2 ${NAME}`, `192.0.2.1 ${NAME}`)
    await becomes(watching, '192.0.2.1', '192.0.2.2')
    writeFile('hosts', `192.0.2.2 ${NAME}`)
    await becomes(watching, '192.0.2.2')
    writeFile('hosts', `127.0.0.1 ${NAME}`, `127.0.0.2 ${NAME}`)
    await becomes(watching, NAME)
  })

  it('stay while the name is away, which is told', async () => {
    writeFile('hosts', `192.0.2.1 ${NAME}`)
    const watching = await watch(NAME, 50)
    watching.send('ready')
    await becomes(watching, '192.0.2.1')
    writeFile('hosts', '127.0.0.1 localhost')
    await eventually('the failure is told', () => watching.errors.length > 0)
    assert.match(watching.errors[0]?.detail ?? '', /ENOTFOUND.*stay in use: 192\.0\.2\.1:9000$/)
    assert.deepEqual(watching.hosts, ['192.0.2.1'])
    writeFile('hosts', `192.0.2.2 ${NAME}`)
    await becomes(watching, '192.0.2.2')
  })

  it('are asked for again when the TTL is over, long before 30 s', async () => {
    const watching = await watch(NAME)
    watching.send({ zone: { [NAME]: { ttl: 1, addresses: ['192.0.2.1', '192.0.2.2'] } } })
    watching.send('ready')
    await eventually('both are there', () => watching.hosts.length === 2)
    const [first = ''] = watching.hosts
    watching.send({ zone: { [NAME]: { ttl: 1, addresses: ['192.0.2.3', first] } } })
    await becomes(watching, first, '192.0.2.3')
  })

  it('are found by a short name and the search domain', async () => {
    const watching = await watch('php', 50)
    watching.send({ zone: { [NAME]: { ttl: 600, addresses: ['192.0.2.1'] } } })
    watching.send('ready')
    await becomes(watching, '192.0.2.1')
    watching.send({ zone: { [NAME]: { ttl: 600, addresses: ['192.0.2.2'] } } })
    await becomes(watching, '192.0.2.2')
  })

  it('are missed for a reason: no such name, no answer; and come with the next request', async () => {
    const watching = await watch(NAME)
    watching.send('ready')
    await eventually('the first failure', () => watching.errors.length === 1)
    watching.send({ zone: null })
    watching.send('ready')
    await eventually('the second failure', () => watching.errors.length === 2)
    assert.match(watching.errors[0]?.detail ?? '', /has no address \(ENOTFOUND\)/)
    assert.match(watching.errors[1]?.detail ?? '', /cannot be resolved now \(EAI_AGAIN\)/)
    watching.send({ zone: { [NAME]: { ttl: 1, addresses: ['192.0.2.1'] } } })
    watching.send('ready')
    await becomes(watching, '192.0.2.1')
  })

  it('leave nothing open when the watch is closed', async () => {
    const watching = await watch(NAME)
    watching.send({ zone: { [NAME]: { ttl: 1, addresses: ['192.0.2.1'] } } })
    watching.send('ready')
    await becomes(watching, '192.0.2.1')
    watching.send('close')
    assert.equal(await watching.ended, 0)
  })

  it('are not asked of the DNS any longer when the question is given up', () => {
    writeFile('hosts', `192.0.2.1 ${NAME}`)
    const { stdout, stderr } = spawnSync(...enter(process.execPath, '--import', 'tsx', GIVE_UP, NAME), {
      encoding: 'utf8',
    })
    assert.equal(stdout, 'given up 192.0.2.1\n', stderr)
  })
})
