import { compilePattern, type Match, type Pattern } from './pattern.ts'

/** What the router needs of a location. */
export interface Routable {
  readonly match: readonly Match[]
  /** Lower case, without port; empty: any host; `*`: hosts that no location names. */
  readonly hosts: readonly string[]
}

/** A location with its patterns compiled. */
export interface Route<L> {
  readonly location: L
  readonly pattern: Pattern
}

const OTHER_HOSTS = '*'

/** The locations of each host, in the order of the file. */
export class Router<L extends Routable> {
  readonly #named: ReadonlyMap<string, readonly Route<L>[]>
  readonly #others: readonly Route<L>[]

  /** @throws OptionError for a route that path-to-regexp refuses */
  constructor(locations: readonly L[]) {
    const routes = locations.map((location) => ({ location, pattern: compilePattern(location.match) }))
    const names = new Set(locations.flatMap(({ hosts }) => hosts))
    const ofHost = (name: string): readonly Route<L>[] =>
      routes.filter(({ location: { hosts } }) => hosts.length === 0 || hosts.includes(name))
    this.#named = new Map([...names].map((name) => [name, ofHost(name)]))
    this.#others = ofHost(OTHER_HOSTS)
  }

  /** The routes of a host; `host` is lower case, without port. */
  routes(host: string): readonly Route<L>[] {
    return this.#named.get(host) ?? this.#others
  }
}
