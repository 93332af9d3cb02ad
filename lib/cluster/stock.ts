import { givesBefore, type Holder, levelOf, lowest, mustYield, type Seat, take } from './holder.ts'
import type { DealerMessage } from './messages.ts'

/** Tells a worker something. */
export type SendToWorker = (worker: number, message: DealerMessage) => void

/**
 * The connections to one address, and who may open how many. The sum of what is held never passes the total through a grant: a place that is
 * recalled counts as held until its holder says that the connection has closed. Places go to those who want them, the one with the fewest
 * first; who holds two more than another that wants gives one up; beyond that, only what lies idle moves. Where there are fewer places than
 * wanting workers, a place goes round: whoever has held one longest gives it up after the request under way.
 */
export class Stock {
  readonly #send: SendToWorker
  readonly #holders = new Map<string, Holder>()
  #clock = 0

  constructor(send: SendToWorker) {
    this.#send = send
  }

  get isDeserted(): boolean {
    return this.#holders.size === 0
  }

  /** One that is not known yet. So many workers are alive, its own among them: each may come for its share. */
  join(joined: Pick<Holder, 'id' | 'worker' | 'total' | 'held'>, workers: number): void {
    const holder: Holder = {
      ...{ recalled: 0, need: 0, tried: false, asked: false, silent: false },
      ...{ turn: this.#tick(), since: this.#tick() },
      ...joined,
    }
    this.#holders.set(holder.id, holder)
    const share = this.#total / workers
    const first = Math.max(0, Math.min(this.#free, Math.max(1, Math.floor(share)) - holder.held))
    this.#grant(holder, first)
    holder.need = Math.max(0, Math.floor(share) - holder.held)
    this.#settle()
  }

  want(id: string, places: number): void {
    this.#change(id, (holder) => {
      if (holder.need === 0) holder.turn = this.#tick()
      holder.need += places
      holder.tried = false
    })
  }

  /** So many are promised by one that was asked. */
  spare(id: string, places: number): void {
    this.#change(id, (holder) => {
      holder.asked = false
      holder.recalled += Math.min(places, levelOf(holder))
    })
  }

  give(id: string, places: number): void {
    this.#change(id, (holder) => {
      const given = Math.min(places, holder.recalled)
      holder.held -= given
      holder.recalled -= given
    })
  }

  resize(id: string, total: number): void {
    this.#change(id, (holder) => {
      holder.total = total
    })
  }

  leave(id: string): void {
    this.#change(id, () => this.#holders.delete(id))
  }

  /** A worker's channel has closed; its connections may live on, so nothing of it is free yet. */
  silence(worker: number): void {
    for (const holder of this.#holders.values()) {
      if (holder.worker === worker) Object.assign(holder, { need: 0, recalled: 0, asked: false, silent: true })
    }
    this.#settle()
  }

  /** A worker has ended, and the system has closed its connections. */
  bury(worker: number): void {
    for (const holder of this.#holders.values()) if (holder.worker === worker) this.#holders.delete(holder.id)
    this.#settle()
  }

  #change(id: string, change: (holder: Holder) => void): void {
    const holder = this.#holders.get(id)
    if (holder === undefined) return
    change(holder)
    this.#settle()
  }

  #settle(): void {
    this.#dealFree()
    const recalls = new Map<Holder, number>()
    this.#recallExcess(recalls)
    const unmet = this.#recallForWanting(recalls)
    for (const [holder, places] of recalls) this.#tell(holder, 'express-fastcgi:recall', places)
    this.#askAround(unmet)
  }

  /** What is free goes to those with the fewest places, one by one. */
  #dealFree(): void {
    const seats = this.#seats()
    for (let free = this.#free; free > 0; free -= 1) {
      const seat = lowest(seats)
      if (seat === null) break
      take(seat)
    }
    for (const { holder, level, need } of seats) {
      const places = level - levelOf(holder)
      if (places === 0) continue
      holder.need = need
      this.#grant(holder, places)
    }
  }

  /** The total has become less: those with the most give up. */
  #recallExcess(recalls: Map<Holder, number>): void {
    for (let excess = -this.#coming; excess > 0; excess -= 1) {
      const donor = this.#donor()
      if (donor === null) return
      recall(donor, recalls)
    }
  }

  /** Recalls what evens the places out among those who want them. Returns who wants more than that, with how many more. */
  #recallForWanting(recalls: Map<Holder, number>): Seat[] {
    const seats = this.#seats()
    let coming = this.#coming
    for (let seat = lowest(seats); seat !== null; seat = lowest(seats)) {
      if (coming > 0) {
        coming -= 1
      } else {
        const donor = this.#donor(seat.holder)
        if (donor === null || !mustYield(donor, seat)) break
        recall(donor, recalls)
      }
      take(seat)
    }
    return seats.filter(({ need }) => need > 0)
  }

  /** What nobody must give up may still lie idle somewhere. Each want is put to the others once, then denied. */
  #askAround(unmet: readonly Seat[]): void {
    if (this.#all.some(({ asked }) => asked)) return
    const others = this.#all.filter((holder) => holder.need === 0 && !holder.silent && levelOf(holder) >= 2)
    let wanted = 0
    for (const { holder, need } of unmet) {
      if (holder.tried || others.length === 0) this.#deny(holder, need)
      else wanted += need
      holder.tried = true
    }
    if (wanted === 0) return
    for (const holder of others) {
      holder.asked = true
      this.#tell(holder, 'express-fastcgi:ask', Math.ceil(wanted / others.length))
    }
  }

  /** One that is left with nothing is never denied: it waits for its turn. */
  #deny(holder: Holder, places: number): void {
    const denied = Math.min(places, levelOf(holder) === 0 ? holder.need - 1 : holder.need)
    if (denied === 0) return
    holder.need -= denied
    this.#tell(holder, 'express-fastcgi:deny', denied)
  }

  /** The one to give up a place: the one with the most; of these rather one that is content, then the one that has held longest. */
  #donor(except: Holder | null = null): Holder | null {
    let best: Holder | null = null
    for (const holder of this.#all) {
      if (holder === except || holder.silent || levelOf(holder) < 1) continue
      if (best === null || givesBefore(holder, best)) best = holder
    }
    return best
  }

  #grant(holder: Holder, places: number): void {
    holder.held += places
    holder.since = this.#tick()
    this.#tell(holder, 'express-fastcgi:grant', places)
  }

  #tell(holder: Holder, type: Exclude<DealerMessage['type'], 'express-fastcgi:deal'>, places: number): void {
    this.#send(holder.worker, { type, holder: holder.id, places })
  }

  #tick(): number {
    this.#clock += 1
    return this.#clock
  }

  #seats(): Seat[] {
    return this.#all
      .filter(({ need }) => need > 0)
      .map((holder) => ({ holder, level: levelOf(holder), need: holder.need }))
  }

  get #all(): Holder[] {
    return [...this.#holders.values()]
  }

  /** While an old and a new configuration are about, the lesser one counts. */
  get #total(): number {
    return Math.min(...this.#all.map(({ total }) => total))
  }

  get #free(): number {
    return this.#all.reduce((free, { held }) => free - held, this.#total)
  }

  /** Free, or soon to be; negative: too many are held. */
  get #coming(): number {
    return this.#all.reduce((coming, holder) => coming - levelOf(holder), this.#total)
  }
}

function recall(donor: Holder, recalls: Map<Holder, number>): void {
  donor.recalled += 1
  recalls.set(donor, (recalls.get(donor) ?? 0) + 1)
}
