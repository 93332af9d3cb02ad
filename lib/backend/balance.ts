/** How the requests of a location are spread over its backends. */
export type Balance = 'fill' | 'round-robin' | 'least-connections' | 'random' | 'ip-hash'

/** What a choice needs to know of a backend that may be chosen. */
export interface Candidate {
  /** Its address: what it is known by however the list is ordered or written anew. */
  readonly key: string
  /** Its share beside the others', above 0. */
  readonly weight: number
  /** Requests under way on it. */
  readonly busy: number
  /** It has room for another. */
  readonly free: boolean
}

/** Candidates in the order of the file; never none. */
export type Candidates<C extends Candidate> = readonly [C, ...C[]]

/** One policy with what it remembers; each location has its own. */
export interface Chooser {
  /** The candidate for one request of a client, which is told by its address. Always one of those given. */
  choose<C extends Candidate>(candidates: Candidates<C>, client: string): C
}

/** The chooser of a policy; `random` gives numbers as Math.random does. */
export function createChooser(balance: Balance, random: () => number = Math.random): Chooser {
  switch (balance) {
    case 'fill':
      return FILL
    case 'round-robin':
      return new RoundRobin()
    case 'least-connections':
      return new LeastConnections()
    case 'random':
      return new TwoRandom(random)
    case 'ip-hash':
      return new IpHash()
  }
}

/** Monkey's own: a server is filled before the next one gets anything. */
const FILL: Chooser = {
  choose(candidates) {
    let best = candidates[0]
    for (const candidate of candidates) {
      if (candidate.free) return candidate
      if (usage(candidate) < usage(best)) best = candidate
    }
    return best
  },
}

/** Requests under way for each unit of weight. */
function usage({ busy, weight }: Candidate): number {
  return busy / weight
}

/** What {@link usage} would be with this request. */
function usageWithOneMore({ busy, weight }: Candidate): number {
  return (busy + 1) / weight
}

/** Keys of which something is remembered, at least; there are more only where addresses come and go. */
const MOST_KEYS = 1024

/** What a candidate is owed, in turns times weight. */
interface Claim {
  owed: number
}

/**
 * Smooth weighted round-robin, as nginx has it: at each turn everyone is owed its weight, who is owed most is served, and pays
 * for all. Weights of 5, 1, 1 serve a a b a c a a and not a a a a a b c.
 *
 * Unlike nginx's, no claim outgrows a round. Where backends come and go, those that stay would keep what the others have paid, and
 * a newcomer would be served only when that is used up.
 */
class RoundRobin implements Chooser {
  /** By candidate and not by key: two servers of one address have a turn each. */
  readonly #claims = new WeakMap<Candidate, Claim>()

  choose<C extends Candidate>(candidates: Candidates<C>): C {
    return candidates.length === 1 ? candidates[0] : this.next(candidates, null)
  }

  /** Whose turn it is among those whose {@link usageWithOneMore} is this; null: among all. */
  next<C extends Candidate>(candidates: Candidates<C>, level: number | null): C {
    let round = 0
    for (const { weight } of candidates) round += weight
    let best = candidates[0]
    let most: Claim | null = null
    let paid = 0
    for (const candidate of candidates) {
      if (level !== null && usageWithOneMore(candidate) !== level) continue
      const claim = this.#claims.get(candidate) ?? this.#newClaim(candidate)
      claim.owed = Math.max(-round, Math.min(round, claim.owed)) + candidate.weight
      paid += candidate.weight
      if (most !== null && claim.owed <= most.owed) continue
      best = candidate
      most = claim
    }
    if (most !== null) most.owed -= paid
    return best
  }

  #newClaim(candidate: Candidate): Claim {
    const claim: Claim = { owed: 0 }
    this.#claims.set(candidate, claim)
    return claim
  }
}

/**
 * Who has the fewest requests for its weight with this one. Where that is said of several, and while there is nothing under way
 * at all, they take turns by weight: one request after the other must not all go to the heaviest.
 */
class LeastConnections implements Chooser {
  readonly #turns = new RoundRobin()

  choose<C extends Candidate>(candidates: Candidates<C>): C {
    if (candidates.length === 1) return candidates[0]
    let least = Number.POSITIVE_INFINITY
    let busy = 0
    for (const candidate of candidates) {
      busy += candidate.busy
      least = Math.min(least, usageWithOneMore(candidate))
    }
    return this.#turns.next(candidates, busy === 0 ? null : least)
  }
}

/**
 * The less used of two that are drawn by weight: nearly as even as {@link LeastConnections}, but gateways that know nothing of
 * each other do not all run to the same backend.
 */
class TwoRandom implements Chooser {
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  choose<C extends Candidate>(candidates: Candidates<C>): C {
    if (candidates.length === 1) return candidates[0]
    const one = this.#draw(candidates, null)
    const other = this.#draw(candidates, one)
    // The one drawn first where they are equal: the draw has heeded the weights already.
    return usage(other) < usage(one) ? other : one
  }

  #draw<C extends Candidate>(candidates: Candidates<C>, taken: C | null): C {
    let total = 0
    for (const candidate of candidates) if (candidate !== taken) total += candidate.weight
    let rest = this.#random() * total
    let drawn = candidates[0]
    for (const candidate of candidates) {
      if (candidate === taken) continue
      drawn = candidate
      rest -= candidate.weight
      if (rest < 0) break
    }
    return drawn
  }
}

/**
 * Rendezvous hashing: each candidate draws a lot for the client, the highest wins, so that only the clients of one that leaves go
 * elsewhere, each to its second. With lots of -weight/ln(h) the shares are the weights (Schindelhauer and Schomaker 2005).
 */
class IpHash implements Chooser {
  readonly #hashes = new Map<string, number>()

  choose<C extends Candidate>(candidates: Candidates<C>, client: string): C {
    if (candidates.length === 1) return candidates[0]
    const clientHash = hash(client)
    let best = candidates[0]
    let highest = 0
    for (const candidate of candidates) {
      const lot = -candidate.weight / Math.log(fraction(scatter(clientHash ^ this.#hashOf(candidate.key))))
      if (lot <= highest) continue
      best = candidate
      highest = lot
    }
    return best
  }

  #hashOf(key: string): number {
    const known = this.#hashes.get(key)
    if (known !== undefined) return known
    if (this.#hashes.size >= MOST_KEYS) this.#hashes.clear()
    const value = hash(key)
    this.#hashes.set(key, value)
    return value
  }
}

/** FNV-1a over the characters, 32 bits, scattered: addresses differ in their last characters alone. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return scatter(value)
}

/** MurmurHash3's finish: each bit of the 32 decides half of all others. */
function scatter(bits: number): number {
  const once = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35)
  return twice ^ (twice >>> 16)
}

/** 32 bits as a number between 0 and 1, neither of which has a usable logarithm. */
function fraction(bits: number): number {
  return ((bits >>> 0) + 0.5) / 0x1_0000_0000
}
