import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, it } from 'node:test'

/** Folders of programs that are seldom in a user's PATH. */
const MORE_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/lib/git-core', '/usr/libexec/git-core']

interface Requirement {
  /** What apt-get installs. */
  readonly package: string
  /** Where it is, or null. */
  readonly find: () => string | null
}

const folders = [...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''), ...MORE_FOLDERS]

function program(name: string | RegExp): () => string | null {
  return () => {
    for (const folder of folders.filter((path) => existsSync(path))) {
      const names =
        typeof name === 'string'
          ? [name]
          : readdirSync(folder)
              .filter((file) => name.test(file))
              .sort()
              .reverse()
      const found = names.map((file) => join(folder, file)).find(isExecutable)
      if (found !== undefined) return found
    }
    return null
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function file(...paths: string[]): () => string | null {
  return () => paths.find((path) => existsSync(path)) ?? null
}

function output(find: () => string | null, ...parameters: string[]): string {
  const path = find()
  if (path === null) return ''
  try {
    return execFileSync(path, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    // It cannot do what was asked, which is the answer.
    return ''
  }
}

function phpModule(name: string): () => string | null {
  return () => (new RegExp(`^${name}$`, 'mi').test(output(program(/^php-fpm(8\.\d+)?$/), '-m')) ? name : null)
}

function perlModule(name: string): () => string | null {
  return () => (output(program('perl'), `-M${name}`, '-e', 'print 1') === '1' ? name : null)
}

const REQUIREMENTS = {
  'php-fpm': { package: 'php8.2-fpm', find: program(/^php-fpm(8\.\d+)?$/) },
  'php-cgi': { package: 'php8.2-cgi', find: program(/^php-cgi(8\.\d+)?$/) },
  'php-sqlite3': { package: 'php8.2-sqlite3', find: phpModule('sqlite3') },
  'php-xml': { package: 'php8.2-xml', find: phpModule('xml') },
  'php-mbstring': { package: 'php8.2-mbstring', find: phpModule('mbstring') },
  perl: { package: 'perl', find: program('perl') },
  'FCGI.pm': { package: 'libfcgi-perl', find: perlModule('FCGI') },
  cc: { package: 'gcc libc6-dev', find: program('cc') },
  libfcgi: { package: 'libfcgi-dev', find: file('/usr/include/fcgiapp.h', '/usr/local/include/fcgiapp.h') },
  'cgi-fcgi': { package: 'libfcgi-bin', find: program('cgi-fcgi') },
  fcgiwrap: { package: 'fcgiwrap', find: program('fcgiwrap') },
  git: { package: 'git', find: program('git') },
  'git-http-backend': { package: 'git', find: program('git-http-backend') },
  nginx: { package: 'nginx-light', find: program('nginx') },
  dokuwiki: { package: 'dokuwiki', find: file('/usr/share/dokuwiki') },
  chromium: { package: 'chromium', find: program('chromium') },
  adminer: { package: 'adminer', find: file('/usr/share/adminer/adminer.php') },
} as const satisfies Record<string, Requirement>

/** What a conformance test may need from the machine. */
export type BackendName = keyof typeof REQUIREMENTS

const found = new Map<BackendName, string | null>()

function find(name: BackendName): string | null {
  const known = found.get(name)
  if (known !== undefined) return known
  const path = REQUIREMENTS[name].find()
  found.set(name, path)
  return path
}

function complaint(missing: readonly BackendName[]): string {
  const packages = missing.map((name) => REQUIREMENTS[name].package).join(' ')
  return `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed (apt-get install ${packages})`
}

/** The path of a program, header or application; throws with the Debian package to install. */
export function pathOf(name: BackendName): string {
  const path = find(name)
  if (path === null) throw new Error(complaint([name]))
  return path
}

/**
 * The suites that need real programs: `backend('php-fpm', 'git').describe(title, suite)`. Where one of them is missing the
 * suite is skipped by name, or fails when the environment has CI: nobody must believe in a conformance that nobody tried.
 */
export function backend(...names: BackendName[]): { describe(title: string, suite: () => void): void } {
  return {
    describe(title, suite): void {
      const missing = names.filter((name) => find(name) === null)
      if (missing.length === 0) {
        describe(title, suite)
        return
      }
      if (process.env.CI) {
        it(title, () => {
          throw new Error(`CI is set, and ${complaint(missing)}`)
        })
        return
      }
      console.warn(`SKIPPED: ${title}: ${complaint(missing)}`)
      it(title, { skip: `SKIPPED: ${complaint(missing)}` }, () => undefined)
    },
  }
}
