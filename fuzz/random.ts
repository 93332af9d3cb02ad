/** Random choices that a seed repeats (mulberry32): the same seed and path give the same case on any machine. */
export class Random {
  #state: number

  /** `path` names a part of a run, as a side and the number of a case. */
  constructor(seed: number, ...path: readonly (number | string)[]) {
    this.#state = seed | 0
    for (const part of path) {
      for (const character of `/${part}`) this.#state = Math.imul(this.#state ^ character.charCodeAt(0), 0x01000193)
      this.next()
    }
  }

  /** 0 up to, but not, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** Both ends may come. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  /** True in so many cases of 1. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(list: readonly T[]): T {
    const picked = list[this.int(0, list.length - 1)]
    if (picked === undefined) throw new Error('There is nothing to pick from')
    return picked
  }

  /** One of several ways to make something, each as likely as its weight says. */
  choose<T>(...ways: readonly (readonly [weight: number, make: () => T])[]): T {
    let left = this.next() * ways.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, make] of ways) {
      left -= weight
      if (left < 0) return make()
    }
    throw new Error('There is no way to choose')
  }

  times<T>(least: number, most: number, make: (index: number) => T): T[] {
    return Array.from({ length: this.int(least, most) }, (_, index) => make(index))
  }

  /** Any bytes, as latin1 characters. */
  bytes(length: number): string {
    return Buffer.from(Array.from({ length }, () => this.int(0, 255))).toString('latin1')
  }
}
