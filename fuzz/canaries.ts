import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A folder of scripts, files and what nobody may see. */
export interface CanaryTree {
  /** The document root. */
  readonly root: string
  /** Scripts below the root that may run. */
  readonly scripts: ReadonlySet<string>
}

/** In the source of each script, where PHP never prints it. */
const SOURCE = 'CANARY-SOURCE'

/** What no answer may hold, and why. */
export const CANARIES: readonly (readonly [text: string, why: string])[] = [
  [SOURCE, 'the source of a script'],
  ['CANARY-OUTSIDE', 'a file outside of the root'],
  ['CANARY-DOTFILE', 'a dotfile'],
  ['CANARY-UPLOAD', 'the output of a file that is no script'],
]

/** Of those a tree's own static files, which others than the gateway may send. */
export const BACKUP_CANARY = 'CANARY-BACKUP'

/** Where an echo begins; the JSON of {@link Echo} follows. */
export const ECHO_MARK = '{"fuzz":'

/** What a script tells of its request. */
export interface Echo {
  readonly fuzz: true
  readonly server: Readonly<Record<string, string>>
  /** Settings; null where there is no PHP. */
  readonly ini: Readonly<Record<string, string>> | null
  /** Bytes of the body that reached the script; null where PHP took it apart itself. */
  readonly length: number | null
}

/** Settings that a client would like to change. */
const SETTINGS: readonly string[] = [
  'auto_prepend_file',
  'auto_append_file',
  'allow_url_include',
  'open_basedir',
  'disable_functions',
  'error_log',
  'precision',
  'include_path',
]

const SCRIPT = `<?php /* ${SOURCE} */
$type = strtolower($_SERVER['CONTENT_TYPE'] ?? '');
header('Content-Type: application/json');
$ini = [];
foreach (['${SETTINGS.join("', '")}'] as $name) $ini[$name] = (string) ini_get($name);
echo json_encode([
  'fuzz' => true,
  'server' => array_filter($_SERVER, 'is_string'),
  'ini' => $ini,
  'length' => str_contains($type, 'multipart/form-data') ? null : strlen(file_get_contents('php://input')),
], JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR | JSON_FORCE_OBJECT);
`

const SCRIPTS: readonly string[] = [
  'index.php',
  'echo.php',
  'sub/index.php',
  'sub/page.php',
  'sub dir/\xfc.php',
  'up/ok.php',
  'a.php/b.php',
]

const RUNS = `<?php echo 'CANARY-', 'UPLOAD';`

/** Files that are text, never run. */
const UPLOADS: readonly string[] = [
  'up/a.jpg',
  'up/shell.php.txt',
  'up/shell.phpx',
  'up/x.jpg ',
  'up/.php.jpg',
  'up/\u023a.txt',
]

const BACKUPS: readonly string[] = [
  'echo.php~',
  'echo.php.bak',
  'echo.phps',
  'old.inc',
  '.echo.php.swp',
  'echo.php.save',
]

/** Makes the tree in a folder that is there and empty; with links that leave the root where those must be refused. */
export function makeCanaryTree(folder: string, withLinks: boolean): CanaryTree {
  const root = join(folder, 'www')
  const write = (name: string, content: string): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  for (const name of SCRIPTS) write(`www/${name}`, SCRIPT)
  for (const name of UPLOADS) write(`www/${name}`, RUNS)
  for (const name of BACKUPS) write(`www/${name}`, BACKUP_CANARY)
  for (const name of ['.env', '.git/config', 'sub/.htpasswd']) write(`www/${name}`, 'CANARY-DOTFILE')
  for (const name of ['secret.txt', 'www-2/secret.txt', 'etc/passwd']) write(name, 'CANARY-OUTSIDE')
  for (const name of ['secret.php', 'www-2/secret.php', 'www.php']) write(name, `<?php echo 'CANARY-', 'OUTSIDE';`)
  write('www/file.txt', 'a file\n')
  write('www/sub/big.css', 'a { color: red }\n'.repeat(10_000))
  mkdirSync(join(root, 'empty'))
  if (withLinks) {
    symlinkSync('../secret.txt', join(root, 'link.txt'))
    symlinkSync('../secret.php', join(root, 'link.php'))
    symlinkSync('..', join(root, 'up-link'))
    symlinkSync('../www-2', join(root, 'sub/neighbour'))
    symlinkSync('../echo.php', join(root, 'sub/alias.txt'))
  }
  return { root, scripts: new Set(SCRIPTS.map((name) => join(root, name))) }
}
