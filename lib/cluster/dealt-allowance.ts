import type { Allowance, AllowanceUser } from '../backend/allowance.ts'
import type { DealerMessage, WorkerMessage } from './messages.ts'

/** Milliseconds until one that was denied asks again: in an overload all workers would ask one another for ever. */
const PAUSE_AFTER_DENIAL = 100

/** No number of calls. */
const NEVER = Number.POSITIVE_INFINITY

/** What an allowance is made for. */
export interface AllowanceRequest {
  readonly key: string
  readonly total: number
  readonly user: AllowanceUser
}

/** The way to the dealer. */
export interface DealerChannel {
  /** Nobody deals: each process is on its own. */
  readonly alone: boolean
  send(message: WorkerMessage): void
  /** The holder of this id is no more. */
  forget(id: string): void
}

/** What one pool of a worker may use, as the primary deals it. */
export class DealtAllowance implements Allowance {
  readonly #request: AllowanceRequest
  readonly #channel: DealerChannel
  /** Null: closed. */
  #id: string | null
  #total: number
  #limit = 0
  /** Recalled and not given back yet: their connections are still open. */
  #owed = 0
  #welcome = false
  /** Places that were asked for and neither granted nor denied yet. */
  #asked = 0
  /** Calls of {@link want}, those included that led to {@link #asked}. */
  #calls = 0
  /** So many calls lead to the next question: twice as many as are asked for, so that a growing queue is no stream of messages. */
  #callsToAsk = 1
  #pause: NodeJS.Timeout | null = null

  constructor(request: AllowanceRequest, channel: DealerChannel, id: string) {
    this.#request = request
    this.#channel = channel
    this.#id = id
    this.#total = request.total
  }

  get limit(): number {
    return this.#limit
  }

  /** The dealer has answered {@link join}. */
  get isWelcome(): boolean {
    return this.#welcome
  }

  /** Goes to the dealer, with a new id or again with the same. What it had without a dealer counts from now on. */
  join(id: string): void {
    this.#id = id
    this.#welcome = false
    this.#await(0)
    this.#callsToAsk = NEVER
    const held = this.#limit + this.#owed
    this.#channel.send({ type: 'express-fastcgi:join', holder: id, key: this.#request.key, total: this.#total, held })
  }

  /** There is no dealer: the whole is its own. */
  useWhole(): void {
    this.#limit = this.#total
    this.#callsToAsk = NEVER
  }

  /** It turned out that there is no dealer. */
  goAlone(): void {
    this.useWhole()
    this.#request.user.grown()
  }

  receive(message: Extract<DealerMessage, { readonly holder: string }>): void {
    switch (message.type) {
      case 'express-fastcgi:grant':
        return this.#takeGrant(message.places)
      case 'express-fastcgi:deny':
        this.#await(Math.max(0, this.#asked - message.places))
        return this.#asked === 0 ? this.#askLater() : undefined
      case 'express-fastcgi:recall':
        return this.#yield(Math.min(message.places, this.#limit))
      case 'express-fastcgi:ask': {
        const spare = Math.min(message.places, this.#spare)
        this.#tell('express-fastcgi:spare', spare)
        return this.#yield(spare)
      }
    }
  }

  want(): void {
    this.#calls += 1
    if (this.#calls < this.#callsToAsk) return
    const more = Math.max(1, this.#request.user.waiting) - this.#asked
    if (more > 0) this.#tell('express-fastcgi:want', more)
    this.#await(this.#asked + Math.max(0, more))
  }

  released(): void {
    const { busy, idle } = this.#request.user
    const places = Math.min(this.#owed, this.#limit + this.#owed - busy - idle)
    if (places <= 0) return
    this.#owed -= places
    this.#tell('express-fastcgi:give', places)
  }

  resize(total: number): void {
    this.#total = total
    if (this.#channel.alone) this.useWhole()
    else if (this.#id !== null) this.#channel.send({ type: 'express-fastcgi:resize', holder: this.#id, total })
  }

  close(): void {
    const id = this.#id
    if (id === null) return
    this.#id = null
    this.#limit = 0
    this.#owed = 0
    this.#await(0)
    this.#channel.send({ type: 'express-fastcgi:leave', holder: id })
    this.#channel.forget(id)
  }

  #takeGrant(places: number): void {
    this.#welcome = true
    this.#limit += places
    this.#await(Math.max(0, this.#asked - places))
    // What it owed it has now: no connection need close for it.
    this.released()
    if (places > 0) this.#request.user.grown()
    this.#askForWaiters()
  }

  #yield(places: number): void {
    if (places === 0) return
    this.#limit -= places
    this.#owed += places
    this.#request.user.shrunk()
    this.released()
    // With nothing left a denial of before is no reason to wait.
    if (this.#limit === 0) this.#askForWaiters()
  }

  /** Half of what is not busy: the rest is for what comes next. The last place stays, so that a request need not ask for it. */
  get #spare(): number {
    return Math.max(0, Math.ceil((this.#limit - Math.max(1, this.#request.user.busy)) / 2))
  }

  #askLater(): void {
    this.#callsToAsk = NEVER
    this.#pause = setTimeout(() => {
      this.#await(0)
      this.#askForWaiters()
    }, PAUSE_AFTER_DENIAL).unref()
  }

  /** So many are to come; a pause is over. */
  #await(asked: number): void {
    if (this.#pause !== null) clearTimeout(this.#pause)
    this.#pause = null
    this.#asked = asked
    this.#calls = asked
    this.#callsToAsk = Math.max(1, 2 * asked)
  }

  #askForWaiters(): void {
    if (this.#request.user.waiting <= this.#asked) return
    this.#calls = this.#callsToAsk
    this.want()
  }

  #tell(type: 'express-fastcgi:want' | 'express-fastcgi:spare' | 'express-fastcgi:give', places: number): void {
    if (this.#id !== null) this.#channel.send({ type, holder: this.#id, places })
  }
}
