/** A pool of one worker, as the primary sees it. */
export interface Holder {
  readonly id: string
  readonly worker: number
  total: number
  /** Places that it may use, those it was told to give back included: what is counted. */
  held: number
  /** Of these, to be given back. */
  recalled: number
  /** More that it would use. */
  need: number
  /** Others were asked for spare places on behalf of this need. */
  tried: boolean
  /** It was asked for spare places and has not answered. */
  asked: boolean
  /** Its process lives on without a channel: what it holds is out of reach until it ends. */
  silent: boolean
  /** When it last began to want: lower is earlier. */
  turn: number
  /** When it was last granted something. */
  since: number
}

/** One that wants, and how it would stand with what is on its way to it. */
export interface Seat {
  readonly holder: Holder
  level: number
  need: number
}

/** Places that it may go on using. */
export function levelOf({ held, recalled }: Holder): number {
  return held - recalled
}

/** One more place is on its way to it. */
export function take(seat: Seat): void {
  seat.level += 1
  seat.need -= 1
}

/** The one with the fewest places that wants more; of these one that has nothing at all, then the one that came first. */
export function lowest(seats: readonly Seat[]): Seat | null {
  let best: Seat | null = null
  for (const seat of seats) if (seat.need > 0 && (best === null || comesBefore(seat, best))) best = seat
  return best
}

function comesBefore(one: Seat, other: Seat): boolean {
  if (one.level !== other.level) return one.level < other.level
  if ((one.holder.held === 0) !== (other.holder.held === 0)) return one.holder.held === 0
  return one.holder.turn < other.holder.turn
}

/** Which of two gives a place up: the one with more; else the one that is content; else the one that has held longer. */
export function givesBefore(one: Holder, other: Holder): boolean {
  if (levelOf(one) !== levelOf(other)) return levelOf(one) > levelOf(other)
  if (isContent(one) !== isContent(other)) return isContent(one)
  return one.since < other.since
}

/** It stays no worse off than the one that gets the place; but its last place goes to one that has none. */
export function mustYield(donor: Holder, seat: Seat): boolean {
  return levelOf(donor) >= seat.level + 2 || (seat.level === 0 && seat.holder.held === 0)
}

/** It has not wanted any more since its last grant. */
function isContent({ turn, since }: Holder): boolean {
  return turn < since
}
