// What clients notice when backends die: three php-fpm pools, killed, reloaded and restarted in turn under constant load: `npm run
// bench:failover`. It fails if a GET was lost or a POST ran twice.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PHASES, type PhaseResult, runPhase } from './failover/phases.ts'
import { type Scene, type SceneOptions, stage } from './failover/scene.ts'
import { table } from './table.ts'

const USAGE = `npm run bench:failover -- [options]

  --seconds S   for each time that something happens to a pool (6); at least 0.5
  --clients N   each sends its next request when it has the answer to the last one (50)
  --posts P     percent of the requests (10)
  --dist DIR    measure this build (dist)
`

interface Options {
  readonly seconds: number
  readonly scene: SceneOptions
}

function number(name: string, text: string, least: number): number {
  const value = Number(text)
  if (!(value >= least)) throw new Error(`--${name} takes a number from ${least} on, not "${text}"`)
  return value
}

/** Null: help was asked for. */
function readArguments(): Options | null {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '6' },
      clients: { type: 'string', default: '50' },
      posts: { type: 'string', default: '10' },
      dist: { type: 'string', default: new URL('../dist', import.meta.url).pathname },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return null
  const scene = {
    entry: join(values.dist, 'index.js'),
    children: 8,
    clients: number('clients', values.clients, 1),
    posts: number('posts', values.posts, 1) / 100,
    failTimeout: 1000,
    retries: 3,
  }
  return { seconds: number('seconds', values.seconds, 0.5), scene }
}

const HEAD = [
  ...['', 'requests', 'lost GETs', 'failed POSTs', 'POSTs run twice', 'p50 ms', 'p99 ms', 'longest ms'],
  ...['retries', 'down', 'up', 'back after ms'],
]

function row(result: PhaseResult): readonly string[] {
  const { title, requests, lostGets, failedPosts, postsRunTwice, durations, retries, downs, ups, back } = result
  const quantile = (share: number): string => (durations[Math.floor(share * (durations.length - 1))] ?? 0).toFixed(1)
  const counts = [requests, lostGets.length, failedPosts.length, postsRunTwice].map(String)
  const times = [quantile(0.5), quantile(0.99), quantile(1)]
  return [title, ...counts, ...times, ...[retries, downs, ups].map(String), back === null ? '-' : back.toFixed(0)]
}

/** Everything that is known of requests that failed, the lost GETs first. */
function explain({ title, lostGets, failures }: PhaseResult): void {
  for (const answer of lostGets) console.error(`${title}: a GET got: ${answer}`)
  for (const { journey } of failures.filter(({ method }) => method === 'GET')) {
    console.error(`${title}: a GET went: ${journey.join(' → ')}`)
  }
  const posts = failures.filter(({ method }) => method === 'POST')
  for (const code of new Set(posts.map((failure) => failure.code))) {
    console.error(`${title}: ${posts.filter((failure) => failure.code === code).length} POSTs failed with ${code}`)
  }
}

/** POSTs whose clients were told that they had run: did they? */
function missing({ load, postsRun }: Scene): readonly string[] {
  const runs = postsRun()
  return [...load.answeredPosts].filter((post) => !runs.has(post))
}

async function main(): Promise<number> {
  const options = readArguments()
  if (options === null) {
    console.log(USAGE)
    return 0
  }
  const { children, clients, posts, failTimeout, retries } = options.scene
  console.log(`3 pools of ${children} children, ${clients} clients, ${posts * 100} % POSTs;`)
  console.log(
    `KeepAlive On, Restarts On, Retries ${retries}, FailTimeout ${failTimeout}ms, MaxConnections ${children}\n`,
  )
  await using scene = await stage(options.scene)
  const results: PhaseResult[] = []
  for (const phase of PHASES) {
    console.error(`${phase.title} …`)
    const result = await runPhase(scene, phase, options.seconds * 1000)
    explain(result)
    results.push(result)
  }
  await scene.load.stop()
  const unrun = missing(scene)
  console.log(`\n${table([HEAD, ...results.map(row)])}`)
  if (unrun.length > 0) console.log(`\n${unrun.length} POSTs were answered and did not run`)
  const isWell = results.every(({ lostGets, postsRunTwice }) => lostGets.length + postsRunTwice === 0)
  return isWell && unrun.length === 0 ? 0 : 1
}

// Leaving by exit() lets every private directory end its processes and go.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
