import { connect } from 'node:net'
import type { Ending } from './http-answers.ts'
import { play, wireOf } from './played.ts'
import { leaves, type Step } from './steps.ts'

/** What came of a connection. */
export interface Exchanged {
  readonly received: Buffer
  /** `open`: we left it. */
  readonly ending: Ending
  /** Neither answered nor closed within the limit. */
  readonly hung: boolean
}

/** When a client has seen enough. */
export interface Patience {
  /** Asked whenever something comes: whether all answers are there. */
  readonly satisfied: (received: Buffer) => boolean
  /** Milliseconds of silence behind a first answer after which no other is awaited; null: they are. */
  readonly quiet: number | null
  /** Milliseconds after the last step within which there must be an end. */
  readonly limit: number
  /**
   * Whether the end of the connection may have been a reset: where that comes with the last bytes, libuv calls it an end. A byte more
   * tells, as the kernel takes none for a connection that was reset.
   */
  readonly doubtsEnd?: boolean
}

/** Plays the steps on a connection of its own to a port of 127.0.0.1, then waits for answers. */
export function exchange(port: number, steps: readonly Step[], patience: Patience): Promise<Exchanged> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const pieces: Buffer[] = []
    let played = false
    let over = false
    let silence: NodeJS.Timeout | undefined
    let limit: NodeJS.Timeout | undefined
    const finish = (ending: Ending, hung: boolean): void => {
      if (over) return
      over = true
      clearTimeout(silence)
      clearTimeout(limit)
      socket.destroy()
      resolve({ received: Buffer.concat(pieces), ending, hung })
    }
    const look = (): void => {
      clearTimeout(silence)
      if (!played || pieces.length === 0) return
      if (patience.satisfied(Buffer.concat(pieces))) return finish('open', false)
      if (patience.quiet !== null) silence = setTimeout(() => finish('open', false), patience.quiet)
    }
    socket.on('data', (piece) => {
      pieces.push(piece)
      look()
    })
    socket.once('error', () => finish('reset', false))
    socket.once('end', () => {
      if (patience.doubtsEnd === true) socket.write('x', (error) => finish(error ? 'reset' : 'end', false))
      else finish('end', false)
    })
    socket.once('close', () => finish(leaves(steps) ? 'open' : 'reset', false))
    socket.once('connect', async () => {
      await play(wireOf(socket), steps)
      played = true
      limit = setTimeout(() => finish('open', true), patience.limit)
      look()
    })
  })
}
