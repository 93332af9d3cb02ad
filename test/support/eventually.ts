import { setTimeout as wait } from 'node:timers/promises'

/** Far beyond what a loaded machine needs; reached only when what is waited for never comes. */
const DEADLINE = 15_000

/** Asks again and again until the answer is yes; fails with `what` when it never is. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + DEADLINE; Date.now() < end; await wait(20)) {
    if (await condition()) return
  }
  throw new Error(`never happened: ${what}`)
}
