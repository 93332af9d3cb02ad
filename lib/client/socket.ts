import { connect, type OnReadOpts, type Socket } from 'node:net'
import { FastCgiError } from '../errors.ts'
import { type Address, formatAddress } from './address.ts'
import { Deadline } from './deadline.ts'
import { connectError, isBacklogFull } from './node-error.ts'

/** Milliseconds between two attempts on a unix socket whose backlog is full: at first, and at most. */
const FIRST_PAUSE = 2
const LONGEST_PAUSE = 40

/** Told once how the opening went. */
export type OpeningDone = (...outcome: [error: FastCgiError, socket: null] | [error: null, socket: Socket]) => void

/** How a socket is opened. */
export interface Opening {
  /** Milliseconds, 0 for ever. */
  readonly timeout: number
  /** Takes what is read, in the stead of `data` events. */
  readonly onread?: OnReadOpts
}

/**
 * Connects within a time. A full backlog of a unix socket is waited out, with growing pauses.
 * Returns the way to give it up: after that `done` is not called any more.
 */
export function openSocket(address: Address, { timeout, onread }: Opening, done: OpeningDone): () => void {
  const deadline = new Deadline()
  let socket: Socket | null = null
  let retry: NodeJS.Timeout | null = null
  let pause = FIRST_PAUSE

  const cancel = (): void => {
    deadline.clear()
    if (retry !== null) clearTimeout(retry)
    if (socket !== null) forget(socket).on('error', ignoreLateError).destroy()
  }
  const fail = (error: FastCgiError): void => {
    cancel()
    done(error, null)
  }
  const attempt = (): void => {
    const reading = onread === undefined ? {} : { onread }
    const opening =
      address.kind === 'unix'
        ? connect({ path: address.path, ...reading })
        : connect({ ...address, noDelay: true, ...reading })
    const failed = (error: Error): void => {
      if (!isBacklogFull(error)) return fail(connectError(error, address))
      forget(opening)
      retry = setTimeout(attempt, pause * (0.5 + Math.random()))
      pause = Math.min(LONGEST_PAUSE, pause * 2)
    }
    socket = opening
    opening.once('error', failed)
    opening.once('connect', () => {
      deadline.clear()
      done(null, opening.removeListener('error', failed))
    })
  }
  deadline.arm(timeout, () => fail(connectTimeout(address, timeout)))
  attempt()
  return cancel
}

function connectTimeout(address: Address, timeout: number): FastCgiError {
  const detail =
    `The backend at ${formatAddress(address)} did not accept a connection within ${timeout} ms: all its processes are busy ` +
    'and its backlog is full (raise pm.max_children or listen.backlog), or the address is filtered'
  return new FastCgiError('ERR_FCGI_CONNECT_TIMEOUT', { detail })
}

/** Takes our listeners off: no other code has the socket yet. */
function forget(socket: Socket): Socket {
  return socket.removeAllListeners('connect').removeAllListeners('error')
}

/** A socket given up may still report how its opening ended. */
function ignoreLateError(): void {
  // nobody waits for it
}
