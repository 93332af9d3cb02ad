/** A fenced block of a document. */
export interface CodeBlock {
  /** The file with the heading above and, from the second under it on, a number: `README.md: Testing PHP 2`. */
  readonly place: string
  /** What stands behind the fence; may be empty. */
  readonly language: string
  readonly code: string
}

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/m

/** The fenced blocks of a document, in order. */
export function codeBlocks(file: string, text: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = []
  const counts = new Map<string, number>()
  let heading = ''
  for (const [whole, title] of text.matchAll(/^#+ (.+)$|^```[\s\S]*?^```$/gm)) {
    if (title !== undefined) {
      heading = title
      continue
    }
    const [, language = '', code = ''] = FENCE.exec(whole) ?? []
    const count = (counts.get(`${heading} ${language}`) ?? 0) + 1
    counts.set(`${heading} ${language}`, count)
    blocks.push({ place: `${file}: ${heading}${count > 1 ? ` ${count}` : ''}`, language, code })
  }
  return blocks
}

/** The headings of a document. */
export function headings(text: string): readonly string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '')
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title)
}

/** The name by which a link finds a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}

/** The targets of the links of a document that lead to other files of the repository or inside the document. */
export function localLinks(text: string): readonly string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^\w+:/.test(target))
}
