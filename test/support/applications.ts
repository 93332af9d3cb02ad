import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { privateDirectory } from './private-directory.ts'
import { pathOf } from './require-backend.ts'

/** A writable private copy of a whole PHP application. */
export interface Application {
  /** The document root. */
  readonly root: string
  readonly user: string
  readonly password: string
  remove(): void
}

const USER = 'keeper'
const PASSWORD = 'a long enough pass phrase'

/** `PASSWORD` as DokuWiki keeps it: `password_hash()`'s bcrypt. */
const BCRYPT = '$2y$04$bHjTf4yZlF.a0cVj6NRD3eQv3xGsQXcelWrcw0yP74NsAZF67ovam'

const DOKUWIKI_DATA = [
  'attic',
  'cache',
  'index',
  'locks',
  'log',
  'media',
  'media_attic',
  'media_meta',
  'meta',
  'pages',
  'tmp',
]

/**
 * DokuWiki with its configuration and data inside its own folder, as its authors ship it: Debian spreads it over /usr, /etc and
 * /var and leads it there in inc/preload.php.
 */
export function dokuWiki(): Application {
  const directory = privateDirectory('wiki')
  const root = directory.path
  const copy = { recursive: true, dereference: true } as const
  cpSync(pathOf('dokuwiki'), root, {
    ...copy,
    filter: (source) => !/\/(\.htaccess|install\.php|preload\.php)$/.test(source),
  })
  cpSync('/etc/dokuwiki', join(root, 'conf'), {
    ...copy,
    filter: (source) => !/\/(acl|users)\.auth\.php$/.test(source),
  })
  for (const name of DOKUWIKI_DATA) mkdirSync(join(root, 'data', name), { recursive: true })
  const settings = {
    title: 'The wiki of the tests',
    useacl: 1,
    superuser: USER,
    savedir: './data',
    disableactions: 'register',
    // No index run and no update check: nothing leaves this machine.
    updatecheck: 0,
    license: '',
  }
  const lines = Object.entries(settings).map(([name, value]) => `$conf['${name}'] = ${JSON.stringify(value)};\n`)
  writeFileSync(join(root, 'conf', 'local.php'), `<?php\n${lines.join('')}`)
  writeFileSync(
    join(root, 'conf', 'users.auth.php'),
    `# <?php exit()?>\n${USER}:${BCRYPT}:The Keeper:keeper@example.org:admin,user\n`,
  )
  writeFileSync(join(root, 'conf', 'acl.auth.php'), '# <?php exit()?>\n* @ALL 1\n* @user 8\n')
  return { root, user: USER, password: PASSWORD, remove: directory.remove }
}

/** Adminer lets nobody into a SQLite file without a password, and SQLite has none: this one asks for ours. */
const ADMINER_ENTRY = `<?php
function adminer_object() {
    class PrivateAdminer extends Adminer {
        function credentials() {
            return [SERVER, $_GET['username'], ''];
        }
        function login($login, $password) {
            return $login === ${JSON.stringify(USER)} && $password === ${JSON.stringify(PASSWORD)};
        }
    }
    return new PrivateAdminer();
}
include __DIR__ . '/adminer.php';
`

/** Adminer with an empty SQLite database beside its root. */
export function adminer(): Application & { readonly database: string } {
  const directory = privateDirectory('adminer')
  const root = join(directory.path, 'public')
  mkdirSync(root)
  cpSync(pathOf('adminer'), join(root, 'adminer.php'), { dereference: true })
  writeFileSync(join(root, 'index.php'), ADMINER_ENTRY)
  return { root, user: USER, password: PASSWORD, database: join(directory.path, 'test.db'), remove: directory.remove }
}
