import { RecordDecoder } from '../../lib/protocol/decoder.ts'

/** What a decoder told, with the pieces of stream records joined. */
export interface Decoded {
  readonly kind: 'content' | 'end' | 'record'
  readonly type: number
  readonly requestId: number
  readonly content: Buffer
}

/** Decodes pieces and joins neighbouring pieces of one stream, so that the split no longer shows. */
export function decodeAll(pieces: readonly Buffer[]): { readonly events: Decoded[]; readonly decoder: RecordDecoder } {
  const events: Decoded[] = []
  const open: Buffer[][] = []
  const add = (kind: Decoded['kind'], type: number, requestId: number, content: Buffer): void => {
    const last = events.at(-1)
    if (kind === 'content' && last?.kind === 'content' && last.type === type && last.requestId === requestId) {
      open.at(-1)?.push(content)
      return
    }
    events.push({ kind, type, requestId, content })
    open.push([content])
  }
  const decoder = new RecordDecoder({
    onStreamContent: (type, requestId, content) => add('content', type, requestId, content),
    onStreamEnd: (type, requestId) => add('end', type, requestId, Buffer.alloc(0)),
    onRecord: (type, requestId, content) => add('record', type, requestId, content),
  })
  for (const piece of pieces) decoder.push(piece)
  return { events: events.map((event, index) => ({ ...event, content: Buffer.concat(open[index] ?? []) })), decoder }
}
