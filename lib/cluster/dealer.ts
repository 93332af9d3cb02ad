import type { WorkerMessage } from './messages.ts'
import { type SendToWorker, Stock } from './stock.ts'

/** Where a dealer lives. */
export interface DealerSurroundings {
  readonly send: SendToWorker
  /** Workers alive now. */
  readonly workers: () => number
}

/** The primary's side: deals the connections of each address out to the workers that ask. Messages in, messages out. */
export class Dealer {
  readonly #surroundings: DealerSurroundings
  /** By address. */
  readonly #stocks = new Map<string, Stock>()
  /** By holder. */
  readonly #keys = new Map<string, { readonly key: string; readonly worker: number }>()

  constructor(surroundings: DealerSurroundings) {
    this.#surroundings = surroundings
  }

  /** Takes a message of a worker that is alive. */
  receive(worker: number, message: WorkerMessage): void {
    const id = message.holder
    if (message.type === 'express-fastcgi:join') return this.#join(worker, message)
    const known = this.#keys.get(id)
    const stock = this.#stocks.get(known?.key ?? '')
    if (known?.worker !== worker || stock === undefined) return
    switch (message.type) {
      case 'express-fastcgi:want':
        return stock.want(id, message.places)
      case 'express-fastcgi:spare':
        return stock.spare(id, message.places)
      case 'express-fastcgi:give':
        return stock.give(id, message.places)
      case 'express-fastcgi:resize':
        return stock.resize(id, message.total)
      case 'express-fastcgi:leave':
        stock.leave(id)
        return this.#forget((holder) => holder === id)
    }
  }

  /** A worker's channel has closed, but it may still be at work: it keeps what it has. */
  silence(worker: number): void {
    for (const stock of this.#stocks.values()) stock.silence(worker)
  }

  /** A worker has ended: it gives all back. */
  bury(worker: number): void {
    for (const stock of this.#stocks.values()) stock.bury(worker)
    this.#forget((_, owner) => owner === worker)
  }

  #join(worker: number, message: Extract<WorkerMessage, { type: 'express-fastcgi:join' }>): void {
    const { holder: id, key, total, held } = message
    // Asked again because the dealer was new; the first question had come through.
    if (this.#keys.has(id)) return
    const stock = this.#stocks.get(key) ?? new Stock(this.#surroundings.send)
    this.#stocks.set(key, stock)
    this.#keys.set(id, { key, worker })
    stock.join({ id, worker, total, held }, this.#surroundings.workers())
  }

  #forget(gone: (holder: string, worker: number) => boolean): void {
    for (const [id, { worker }] of this.#keys) if (gone(id, worker)) this.#keys.delete(id)
    for (const [key, stock] of this.#stocks) if (stock.isDeserted) this.#stocks.delete(key)
  }
}
