// Throws hostile requests and broken answers at a live gateway, from both sides: `npm run fuzz -- --minutes 10`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type FuzzOptions, readArguments, USAGE } from './arguments.ts'
import { BackendSide } from './backend-side.ts'
import { caseOf, describeFailure, type Failure, playStint } from './campaign.ts'
import { ClientSide } from './client-side.ts'
import type { Side } from './side.ts'

/** Cases before one gateway: enough for what leaks to be seen. */
const STINT = 960

/** Milliseconds between two lines of progress. */
const PACE = 5_000

/** A side whose cases only it understands. */
type AnySide = Side<unknown>

const sides: Readonly<Record<FuzzOptions['only'][number], () => AnySide>> = {
  client: () => new ClientSide() as AnySide,
  backend: () => new BackendSide() as AnySide,
}

function report(failure: Failure<unknown>, folder: string): void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${failure.side}-${failure.seed}-${failure.caseNumber}.json`)
  writeFileSync(file, `${JSON.stringify(failure, null, 2)}\n`)
  console.error(`\nFAILED: ${describeFailure(failure)}\n  written to ${file}`)
}

async function replay(options: FuzzOptions & { readonly caseNumber: number }, side: AnySide): Promise<boolean> {
  const one = caseOf(side, options)
  let failed = false
  for (const name of side.settings.filter((each) => options.setting === null || each === options.setting)) {
    const setting = await side.open(name)
    const problem = (await setting.run(one, options.caseNumber)) ?? (await setting.check())
    console.log(`${name}: ${problem ?? 'nothing is wrong'}`)
    failed ||= problem !== null
    await setting.close()
  }
  return failed
}

/** Both sides in turn, each with one setting after the other, until the time is over. True: something failed. */
async function run(options: FuzzOptions, chosen: readonly AnySide[]): Promise<boolean> {
  const start = Date.now()
  const end = start + options.minutes * 60_000
  const counts = new Map<string, number>()
  const problems = new Set<string>()
  let told = start
  for (let round = 0; Date.now() < end; round += 1) {
    for (const side of chosen) {
      const setting = options.setting ?? side.settings[round % side.settings.length] ?? ''
      const onProgress = (cases: number): void => {
        counts.set(side.name, (counts.get(side.name) ?? 0) + cases)
        if (Date.now() < told + PACE) return
        told = Date.now()
        const sum = [...counts].map(([name, count]) => `${count} from the ${name}'s side`).join(', ')
        console.log(`${Math.round((told - start) / 1000)} s  ${sum}  (${setting})  ${problems.size} failures`)
      }
      const goOn = (): boolean => Date.now() < end
      const { seed } = options
      const keys = Array.from({ length: STINT }, (_, index) => ({ seed, caseNumber: round * STINT + index }))
      const failure = await playStint({ side, setting, keys, goOn, onProgress })
      if (failure === null) continue
      // The same mistake shows in many cases.
      const kind = failure.problem.replaceAll(/\d+/g, 'N').slice(0, 200)
      if (!problems.has(kind)) report(failure, options.folder)
      problems.add(kind)
    }
  }
  console.log(`${[...counts].map(([name, count]) => `${name}: ${count} cases`).join(', ')}, ${problems.size} failures`)
  return problems.size > 0
}

async function main(): Promise<void> {
  const options = readArguments(process.argv.slice(2))
  if (options === null) {
    console.log(USAGE)
    return
  }
  console.log(`seed ${options.seed}`)
  const chosen = options.only.map((name) => sides[name]())
  // The gateways end with their channel, the backends with their private directories.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  let failed = false
  try {
    const { caseNumber } = options
    if (caseNumber === null) failed = await run(options, chosen)
    else for (const side of chosen) failed = (await replay({ ...options, caseNumber }, side)) || failed
  } finally {
    for (const side of chosen) await side.close()
  }
  process.exitCode = failed ? 1 : 0
}

await main()
