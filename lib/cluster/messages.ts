/**
 * What workers and the dealing primary say to each other on the channel that Node's cluster gives them. A *holder* is one pool of one
 * worker; its id is unique over all processes and times, so that a message for one that has gone is for nobody. Each side reads the
 * other's messages in the order in which they were sent.
 */
export type WorkerMessage =
  /** A pool of a server that has `total` connections; it uses up to `held` of them already (none, unless nobody dealt before). */
  | ({ readonly type: 'express-fastcgi:join'; readonly holder: string; readonly key: string } & Held & Total)
  /** So many more would be used at once, beside those wanted before. Answered by as many in `grant` and `deny` together. */
  | { readonly type: 'express-fastcgi:want'; readonly holder: string; readonly places: number }
  /** The answer to `ask`: so many will follow by `give`. */
  | { readonly type: 'express-fastcgi:spare'; readonly holder: string; readonly places: number }
  /** So many of those recalled, or promised by `spare`, are free: their connections have closed. */
  | { readonly type: 'express-fastcgi:give'; readonly holder: string; readonly places: number }
  | ({ readonly type: 'express-fastcgi:resize'; readonly holder: string } & Total)
  /** The pool has closed: everything goes back. */
  | { readonly type: 'express-fastcgi:leave'; readonly holder: string }

interface Held {
  readonly held: number
}

interface Total {
  readonly total: number
}

/** What the dealing primary says. */
export type DealerMessage =
  /** The dealer is there now: workers that were earlier join again. */
  | { readonly type: 'express-fastcgi:deal' }
  /** So many places more, kept until recalled. The first one, which may be of 0, answers `join`. */
  | { readonly type: 'express-fastcgi:grant'; readonly holder: string; readonly places: number }
  /** So many of those wanted are not to be had: ask again later. */
  | { readonly type: 'express-fastcgi:deny'; readonly holder: string; readonly places: number }
  /** So many fewer; they are given back when their connections have closed. */
  | { readonly type: 'express-fastcgi:recall'; readonly holder: string; readonly places: number }
  /** Are there so many that nobody uses? */
  | { readonly type: 'express-fastcgi:ask'; readonly holder: string; readonly places: number }

/** The fields of each type besides `type`: true is a count, false a text. */
type Fields = Readonly<Record<string, boolean>>

const FROM_WORKERS: Readonly<Record<WorkerMessage['type'], Fields>> = {
  'express-fastcgi:join': { holder: false, key: false, total: true, held: true },
  'express-fastcgi:want': { holder: false, places: true },
  'express-fastcgi:spare': { holder: false, places: true },
  'express-fastcgi:give': { holder: false, places: true },
  'express-fastcgi:resize': { holder: false, total: true },
  'express-fastcgi:leave': { holder: false },
}

const FROM_DEALER: Readonly<Record<DealerMessage['type'], Fields>> = {
  'express-fastcgi:deal': {},
  'express-fastcgi:grant': { holder: false, places: true },
  'express-fastcgi:deny': { holder: false, places: true },
  'express-fastcgi:recall': { holder: false, places: true },
  'express-fastcgi:ask': { holder: false, places: true },
}

/** Whether something that a worker sent is for the dealer: the application's own messages come the same way. */
export function isWorkerMessage(message: unknown): message is WorkerMessage {
  return fits(message, FROM_WORKERS)
}

/** Whether something that the primary sent is from its dealer. */
export function isDealerMessage(message: unknown): message is DealerMessage {
  return fits(message, FROM_DEALER)
}

function fits(message: unknown, types: Readonly<Record<string, Fields>>): boolean {
  if (typeof message !== 'object' || message === null) return false
  const given = message as Readonly<Record<string, unknown>>
  if (typeof given.type !== 'string' || !Object.hasOwn(types, given.type)) return false
  return Object.entries(types[given.type] ?? {}).every(([name, isCount]) =>
    isCount ? Number.isSafeInteger(given[name]) && Number(given[name]) >= 0 : typeof given[name] === 'string',
  )
}
