/** HTML that is safe to send. */
export interface Markup {
  readonly html: string
}

/** What may stand in a template: text and numbers are escaped, null is nothing. */
export type Content = Markup | string | number | null | readonly Content[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** A template tag: what is put in is escaped unless it is markup itself, so that no caller can forget it. Attributes stand in quotes. */
export function markup(strings: TemplateStringsArray, ...contents: Content[]): Markup {
  const rest = contents.map((content, index) => render(content) + (strings[index + 1] ?? ''))
  return { html: (strings[0] ?? '') + rest.join('') }
}

function render(content: Content): string {
  if (content === null) return ''
  if (typeof content === 'number') return String(content)
  if (typeof content === 'string') return content.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
  return 'html' in content ? content.html : content.map(render).join('')
}
