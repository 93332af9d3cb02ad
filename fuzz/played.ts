import type { Socket } from 'node:net'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import type { Step } from './steps.ts'

/** One end of a connection, as steps act on it. */
export interface Wire {
  readonly gone: boolean
  /** Resolves when the kernel has the bytes, or nobody takes them any more. */
  write(bytes: Buffer): Promise<void>
  pause(): void
  resume(): void
  halfClose(): void
  close(): void
  reset(): void
}

/** Plays steps until they end or the wire is gone. */
export async function play(wire: Wire, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if (wire.gone) return
    await playOne(wire, step)
  }
}

async function playOne(wire: Wire, step: Step): Promise<void> {
  switch (step.kind) {
    case 'send':
      await turn()
      return wire.write(Buffer.from(step.bytes, 'latin1'))
    case 'drip':
      return drip(wire, Buffer.from(step.bytes, 'latin1'), step.size)
    case 'wait':
      await wait(step.time)
      return
    case 'deaf':
      wire.pause()
      await wait(step.time)
      wire.resume()
      return
    case 'half-close':
      return wire.halfClose()
    case 'close':
      return wire.close()
    case 'reset':
      return wire.reset()
  }
}

async function drip(wire: Wire, bytes: Buffer, size: number): Promise<void> {
  for (let at = 0; at < bytes.length && !wire.gone; at += size) {
    await wire.write(bytes.subarray(at, at + size))
    await turn()
  }
}

/** A socket as a wire. */
export function wireOf(socket: Socket): Wire {
  return {
    get gone() {
      return socket.destroyed
    },
    write: (bytes) => write(socket, bytes),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    halfClose: () => void socket.end(),
    close: () => socket.destroySoon(),
    reset: () => void socket.resetAndDestroy(),
  }
}

function write(socket: Socket, bytes: Buffer): Promise<void> {
  if (socket.destroyed || socket.writableEnded) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      socket.removeListener('close', done)
      resolve()
    }
    socket.once('close', done)
    socket.write(bytes, done)
  })
}
