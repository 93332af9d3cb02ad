// Runs every *.test.ts below test/ (or below the folders and files named on the command line) on Node's own runner,
// a process a file. Node 20's --test takes no patterns, hence the walk.
import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = dirname(dirname(fileURLToPath(import.meta.url)))
const wanted = process.argv.slice(2)

function testsBelow(path) {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(path, name))
    .sort()
}

const files = (wanted.length > 0 ? wanted : [join(repository, 'test')]).flatMap(testsBelow)
const runner = spawn(
  process.execPath,
  ['--import', 'tsx', '--test', '--test-reporter=spec', '--test-timeout=300000', '--test-concurrency=2', ...files],
  { stdio: 'inherit', cwd: repository },
)
runner.on('exit', (code) => process.exit(code ?? 1))
