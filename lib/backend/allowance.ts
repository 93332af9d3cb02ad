/**
 * How many connections one pool of this process may have open now. Alone, a process has a server's whole `maxConnections`; among the
 * workers of a cluster it has a share of them, which grows and shrinks.
 */
export interface Allowance {
  /** Connections that may be open now, busy and idle together. May be 0 for a while. */
  readonly limit: number
  /** Somebody waits and no place is free: more would be used. Cheap, may be called for each waiter. */
  want(): void
  /** A connection has closed, or a place that was taken is free again without one: what was recalled may go back. Cheap. */
  released(): void
  /** The server's `maxConnections` is another now. The caller looks at {@link limit} itself afterwards; later changes are told. */
  resize(total: number): void
  /** The pool has closed its last connection and opens no more: everything goes back. May be called twice. */
  close(): void
}

/** The pool that an {@link Allowance} is for. It is called when the limit has changed, never from within the allowance's methods. */
export interface AllowanceUser {
  /** Places taken: connections on which a request is, or which are being opened for one. */
  readonly busy: number
  /** Kept connections that are open without a request. */
  readonly idle: number
  /** Requests that wait for a place here; asked seldom. */
  readonly waiting: number
  /** The limit has grown: let waiters in. */
  grown(): void
  /** The limit has shrunk: close idle connections above it now; busy ones above it close when their request ends. */
  shrunk(): void
}

/** Makes the allowance of one backend: `key` is its address, `total` the server's `maxConnections`. */
export type CreateAllowance = (key: string, total: number, user: AllowanceUser) => Allowance

/** An allowance that is never dealt: all of `maxConnections`, or the part of them that `partOf` tells. */
export function fixedAllowance(total: number, partOf: (total: number) => number = whole): Allowance {
  let limit = partOf(total)
  return {
    get limit(): number {
      return limit
    },
    want: nothing,
    released: nothing,
    resize(changed: number): void {
      limit = partOf(changed)
    },
    close: nothing,
  }
}

function whole(total: number): number {
  return total
}

function nothing(): void {
  // There is nobody to tell.
}
