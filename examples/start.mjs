// `npm start`: takes the PHP of this machine, starts it for this process alone and serves examples/site with it.
// PORT: default 8080. PHP_PATH: the folders to look for PHP in, instead of PATH and the usual places beside it.
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import express from 'express'
import { fastcgi } from 'express-fastcgi'

const { PATH = '', PORT = '8080', PHP_PATH = [PATH, '/usr/sbin', '/usr/local/sbin'].join(delimiter) } = process.env

/** The newest program whose name matches, or undefined. */
function find(name) {
  for (const folder of PHP_PATH.split(delimiter).filter((path) => path !== '' && existsSync(path))) {
    const names = readdirSync(folder).filter((file) => name.test(file) && isExecutable(join(folder, file)))
    const newest = names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
    if (newest !== undefined) return join(folder, newest)
  }
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Writes the configuration of a php-fpm that runs as we do; returns its arguments. */
function configurePhpFpm(directory, socket) {
  const file = join(directory, 'php-fpm.conf')
  const user = process.getuid?.() === 0 ? ['user = root', 'group = root'] : []
  const pool = [
    '[site]',
    ...user,
    `listen = ${socket}`,
    'pm = static',
    'pm.max_children = 4',
    'catch_workers_output = yes',
  ]
  writeFileSync(
    file,
    ['[global]', `error_log = ${join(directory, 'php-fpm.log')}`, 'log_level = warning', ...pool, ''].join('\n'),
  )
  return ['--nodaemonize', '--force-stderr', '--allow-to-run-as-root', '--fpm-config', file]
}

/** How to start the PHP that is there; undefined where there is none. */
function choose(directory, socket) {
  const fpm = find(/^php-fpm(-?\d+(\.\d+)*)?$/)
  if (fpm !== undefined) return { program: fpm, args: configurePhpFpm(directory, socket) }
  const cgi = find(/^php-cgi(-?\d+(\.\d+)*)?$/)
  if (cgi !== undefined) return { program: cgi, args: ['-b', socket], env: { PHP_FCGI_CHILDREN: '4' } }
}

const directory = mkdtempSync(join(tmpdir(), 'express-fastcgi-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
const socket = join(directory, 'php.sock')

const php = choose(directory, socket)
if (php === undefined) {
  console.error('No PHP here: install php-fpm (Debian: apt-get install php-fpm) or php-cgi, then run npm start again')
  process.exit(1)
}

const backend = spawn(php.program, php.args, { stdio: 'inherit', env: { ...process.env, ...php.env } })
backend.once('error', (error) => stop(1, `${php.program} cannot be started: ${error.message}`))
backend.once('exit', (code) => stop(1, `${php.program} ended (${code})`))

let stopping = false
function stop(exitCode, message) {
  if (stopping) return
  stopping = true
  if (message !== undefined) console.error(message)
  backend.once('exit', () => process.exit(exitCode))
  if (!backend.kill('SIGTERM')) process.exit(exitCode)
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop(0))

while (!existsSync(socket)) await pause(10)

const root = join(import.meta.dirname, 'site')
const app = express()
app.use(fastcgi({ root, server: socket }))
app.use(express.static(root))

const server = app.listen(PORT, '127.0.0.1', (error) => {
  if (error) return stop(1, `Port ${PORT} cannot be used: ${error.message}`)
  console.log(`${php.program} serves http://127.0.0.1:${server.address().port}/ (Ctrl-C ends it)`)
})
