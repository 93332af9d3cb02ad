/** Names that are devices in every folder, with any extension (`nul.php`); ¹, ² and ³ count as digits there. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])$/i

/** What stands in no name there: a colon begins a stream of the file (`::$DATA`) or ends a drive, a backslash separates. */
const NO_NAME = /[<>:"|?*\\]/

/** The shape of the short names that the file system gives to longer ones: `SHELL~1.PHP` is `shell.phpx` too. */
const SHORT = /^[^.]{1,6}~[0-9]{1,6}(?:\.[^.]{0,3})?$/

/**
 * Whether Windows takes each name of a path (Unicode, folded, between slashes) for the file that it spells. Where not, what was
 * checked is not what runs: PHP, its own links and other programs open names through rules that Node's `stat` does not have.
 */
export function isSpelledForWindows(path: string): boolean {
  return path.split('/').every(isPlainName)
}

function isPlainName(name: string): boolean {
  if (NO_NAME.test(name) || name.endsWith('.') || name.endsWith(' ')) return false
  const [stem = ''] = name.split('.', 1)
  return !DEVICE.test(stem.trimEnd()) && !SHORT.test(name)
}
