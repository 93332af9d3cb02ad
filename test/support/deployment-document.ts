import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type CodeBlock, codeBlocks } from './markdown.ts'

const path = 'docs/deployment.md'

const blocks: readonly CodeBlock[] = codeBlocks(
  path,
  readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8'),
)

/** The only block of docs/deployment.md under a heading, or that begins with a line. */
export function recipe(language: string, marker: string): string {
  const found = blocks.filter(
    ({ language: own, place, code }) => own === language && (place === `${path}: ${marker}` || code.startsWith(marker)),
  )
  const [first, ...others] = found
  if (first === undefined || others.length > 0) throw new Error(`${found.length} blocks of ${language} for ${marker}`)
  return first.code
}
