// What a request through the gateway costs, beside the floor and beside what one would pick instead: `npm run bench`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { privateDirectory } from '../test/support/private-directory.ts'
import { type BenchOptions, readArguments, USAGE } from './arguments.ts'
import { CASES, type Case, selectCases } from './cases.ts'
import { drawChart } from './chart.ts'
import { Cores, describeMachine } from './machine.ts'
import { type Bench, type Measurement, measure } from './measurement.ts'
import { isInstalled, preparePrograms } from './programs.ts'
import { Responders } from './responders.ts'
import { caseResult, type Results, readResults } from './results.ts'
import { casesTable, comparisonTable, table, targetsTable } from './table.ts'
import { judge } from './targets.ts'

/** One case after another, then all again, so that what disturbs the machine disturbs each of them. */
async function runRounds(bench: Bench, cases: readonly Case[]): Promise<ReadonlyMap<string, readonly Measurement[]>> {
  const measured = new Map<string, Measurement[]>(cases.map(({ id }) => [id, []]))
  for (let round = 1; round <= bench.options.rounds; round += 1) {
    for (const one of cases) {
      const result = await measure(bench, one).catch((error: unknown) => {
        throw new Error(`${one.id} cannot be measured`, { cause: error })
      })
      measured.get(one.id)?.push(result)
      const figure = one.unit === 'request' ? `${result.cpu.toFixed(1)} µs` : `${result.cpu.toFixed(3)} s/GiB`
      const errors = result.errors > 0 ? `  ${result.errors} ERRORS` : ''
      console.error(`round ${round}/${bench.options.rounds}  ${one.id.padEnd(24)} ${figure.padStart(12)}${errors}`)
    }
  }
  return measured
}

/** The program that a case needs of the machine. */
function neededBy({ gateway, responder }: Case): 'nginx' | 'php-fpm' | null {
  if (gateway.kind === 'nginx' || gateway.kind === 'proxy') return 'nginx'
  return responder === 'php' ? 'php-fpm' : null
}

/** Leaves out what this machine has no program for. */
function feasible(cases: readonly Case[]): readonly Case[] {
  return cases.filter((one) => {
    const needed = neededBy(one)
    if (needed === null || isInstalled(needed)) return true
    console.error(`${one.id} is left out: ${needed} is not installed`)
    return false
  })
}

async function run(options: BenchOptions): Promise<Results> {
  const directory = privateDirectory('bench')
  const root = join(directory.path, 'htdocs')
  mkdirSync(root)
  writeFileSync(join(root, 'index.php'), '')
  if (options.profiles !== null) mkdirSync(options.profiles, { recursive: true })
  const cores = new Cores()
  if (!cores.pinned)
    console.error('The gateway has no core of its own here (taskset, two cores): the figures will vary')
  const programs = preparePrograms(join(directory.path, 'programs'), options.withoutCompiler)
  const responders = new Responders({ command: programs.responder, bodyBytes: options.bodyBytes, root })
  const bench: Bench = { options, directory: directory.path, root, cores, programs, responders }
  try {
    const cases = feasible(selectCases(options.only, options.against !== null))
    const rounds = await runRounds(bench, cases)
    const results = cases.map((one) => caseResult(one, rounds.get(one.id) ?? []))
    return {
      version: 1,
      date: new Date().toISOString(),
      machine: describeMachine(cores.pinned, options.dist),
      language: programs.language,
      rounds: options.rounds,
      seconds: options.seconds,
      bodyBytes: options.bodyBytes,
      cases: results,
      targets: judge(results),
    }
  } finally {
    await responders.stop()
    directory.remove()
  }
}

function report(results: Results, { json, svg, compare }: BenchOptions): void {
  const { machine, language, rounds, seconds } = results
  console.log(
    `${machine.processor}, Node ${machine.node}, commit ${machine.commit}; load and responder in ${language};`,
  )
  console.log(`${rounds} rounds of ${seconds} s; gateway ${machine.pinned ? 'on a core of its own' : 'NOT PINNED'}\n`)
  console.log(`${casesTable(results.cases)}\n\n${targetsTable(results.targets)}`)
  if (compare !== null) console.log(`\n${comparisonTable(results, readResults(compare))}`)
  if (json !== null) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`)
  const chart = svg === null ? null : drawChart(results)
  if (svg !== null && chart !== null) writeFileSync(svg, chart)
}

async function main(): Promise<number> {
  const options = readArguments(process.argv.slice(2))
  if (options === null || options.list) {
    console.log(options === null ? USAGE : table(CASES.map(({ id, title }) => [id, title])))
    return 0
  }
  const results = await run(options)
  report(results, options)
  // A missed target is a result; an answer that did not come is none.
  return results.cases.some(({ median }) => median.errors > 0) ? 1 : 0
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
