import type { Key } from '../../../lib/options/key.ts'

/** The reference table of a section, as docs/configuration.md has it. */
export function referenceTable(keys: Readonly<Record<string, Key<unknown>>>): string {
  const rows = Object.entries(keys).map(([option, { directives, kind, shown, meaning }]) => {
    const allowed = kind.allowed.replaceAll('|', '\\|')
    return `| ${directives.join(', ')} | \`${option}\` | ${shown} | ${allowed} | ${meaning} |`
  })
  return ['| in files | in JavaScript | default | takes | meaning |', '|---|---|---|---|---|', ...rows].join('\n')
}
