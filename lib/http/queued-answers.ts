import type { Socket } from 'node:net'

/** Answers that wait for those before them on their connection (pipelining): Node emits no `close` on them when it ends. */
const queues = new WeakMap<Socket, Set<() => void>>()

/** Calls `left` when the connection ends; returns the way out. One listener a connection, however many answers wait on it. */
export function joinQueue(socket: Socket, left: () => void): () => void {
  const queue = queues.get(socket) ?? openQueue(socket)
  queue.add(left)
  return () => {
    queue.delete(left)
  }
}

function openQueue(socket: Socket): Set<() => void> {
  const queue = new Set<() => void>()
  queues.set(socket, queue)
  socket.once('close', () => {
    for (const left of [...queue]) left()
  })
  return queue
}
