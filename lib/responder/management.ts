import { FCGI_GET_VALUES } from '../protocol/constants.ts'
import { decodePairs } from '../protocol/name-value.ts'
import { encodeGetValuesResult, encodeUnknownType } from './records.ts'

/** The answer to a management record (FastCGI 1.0 section 4); names that have no value are left out. */
export function answerManagement(type: number, content: Buffer, values: ReadonlyMap<string, string>): Buffer {
  if (type !== FCGI_GET_VALUES) return encodeUnknownType(type)
  const asked = new Map<string, string>()
  for (const [name] of decodePairs(content)) {
    const value = values.get(name)
    if (value !== undefined) asked.set(name, value)
  }
  return encodeGetValuesResult(asked)
}
