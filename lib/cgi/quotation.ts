/** Characters of a quotation in a message; what a backend sent may be long. */
const LONGEST = 80

/**
 * A piece of what a backend sent, as it may stand in a log: in quotes, cut short, every control character escaped (a log line
 * is neither broken in two nor a terminal moved).
 */
export function quoted(text: string): string {
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
  // JSON escapes the C0 controls; DEL and the C1 controls (0x9b is CSI) it leaves.
  return JSON.stringify(shown).replace(/[\x7f-\x9f]/g, (control) => `\\u00${control.charCodeAt(0).toString(16)}`)
}
