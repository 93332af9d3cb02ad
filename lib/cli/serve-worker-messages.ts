import type { AddressInfo } from 'node:net'
import { deserialize, serialize } from 'node:v8'
import type { SiteSetup } from './serve-setup.ts'

/** A {@link SiteSetup} on a channel of JSON, which has no regular expressions. */
export interface PackedSetup {
  readonly base64: string
}

/** What the primary tells a worker. `kind` sets these messages apart from others on the same channel. */
export type WorkerOrder =
  | { readonly kind: 'serve'; readonly setup: PackedSetup; readonly port: number }
  | ReloadOrder
  | { readonly kind: 'stop' }

/** Another configuration. */
export interface ReloadOrder {
  readonly kind: 'reload'
  readonly setup: PackedSetup
  /** Which reload this is. */
  readonly number: number
  /** Addresses that are about to go. */
  readonly retired: readonly string[]
  /** One worker says in the log what has changed. */
  readonly tells: boolean
}

/** What a worker tells the primary. */
export type WorkerReport =
  /** It hears orders. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'listening'; readonly address: AddressInfo }
  /** It ends. */
  | { readonly kind: 'failed'; readonly message: string }
  /** New requests are served with the other configuration; later: the retired addresses are no longer used. */
  | { readonly kind: ReloadStage; readonly number: number }

/** How far a worker has come with a reload. */
export type ReloadStage = 'reloaded' | 'left'

export function packSetup({ label, options }: SiteSetup): PackedSetup {
  return { base64: serialize({ label, options }).toString('base64') }
}

export function unpackSetup({ base64 }: PackedSetup): SiteSetup {
  return deserialize(Buffer.from(base64, 'base64')) as SiteSetup
}
