import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Fake, type FakeOptions, type FakeScript, startFake } from '../test/support/responder.ts'

/** A fake application whose private directory goes with this process, also where that is stopped in the middle (Ctrl-C). */
export async function startCleanFake(script: FakeScript, options: FakeOptions): Promise<Fake> {
  const fake = await startFake(script, options)
  if (options.over === 'tcp') return fake
  const remove = (): void => rmSync(dirname(fake.address), { recursive: true, force: true })
  process.once('exit', remove)
  return {
    ...fake,
    async stop() {
      await fake.stop()
      process.removeListener('exit', remove)
    },
  }
}
