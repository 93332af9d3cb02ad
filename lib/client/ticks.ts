/** A wait that is counted in ticks. */
export interface TickedWait {
  /** Its length in ticks. */
  readonly ticks: number
  readonly expired: () => void
  /** The tick at which it is over. */
  due: number
  /** Where it stands among those that run; -1: it does not run. */
  place: number
}

/** Milliseconds between two ticks. */
const TICK = 100

/**
 * The long waits of all requests. A request has several, nearly all of which are cleared within milliseconds: an armed and cleared
 * Timeout costs 1 to 2 µs each, a place in this list 0.05. One timer ticks while anything waits; a wait ends up to two ticks late,
 * never early. Ticks are counted, not timed: a process that was stopped or kept busy does not hold that against who is waited for.
 */
const running: TickedWait[] = []

let now = 0
let timer: NodeJS.Timeout | null = null

/** A wait that has not begun; `expired` is called when `milliseconds` are over. */
export function tickedWait(milliseconds: number, expired: () => void): TickedWait {
  // The tick that is under way is over too soon to count.
  return { ticks: Math.ceil(milliseconds / TICK) + 1, expired, due: 0, place: -1 }
}

/** Begins a wait that does not run. As with a Timeout, the process does not end meanwhile. */
export function begin(wait: TickedWait): void {
  wait.due = now + wait.ticks
  wait.place = running.push(wait) - 1
  if (running.length > 1) return
  if (timer === null) timer = setInterval(tick, TICK)
  else timer.ref()
}

/** Begins a running wait anew. */
export function restart(wait: TickedWait): void {
  if (wait.place !== -1) wait.due = now + wait.ticks
}

/** Ends a wait, running or not: it does not expire. */
export function end(wait: TickedWait): void {
  const { place } = wait
  if (place === -1) return
  wait.place = -1
  const last = running.pop()
  if (last !== undefined && last !== wait) {
    running[place] = last
    last.place = place
  }
  // Stopped by the next tick, unless something waits again by then: at low load that is the usual case.
  if (running.length === 0) timer?.unref()
}

function tick(): void {
  now += 1
  if (running.length === 0) return stop()
  for (const wait of running.filter(({ due }) => due <= now)) {
    // An earlier one of these may have ended it.
    if (wait.place === -1) continue
    end(wait)
    wait.expired()
  }
}

function stop(): void {
  if (timer !== null) clearInterval(timer)
  timer = null
}
