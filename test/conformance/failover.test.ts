import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { PHASES, type PhaseResult, runPhase } from '../../bench/failover/phases.ts'
import { type Scene, stage } from '../../bench/failover/scene.ts'
import { backend } from '../support/require-backend.ts'

/** Milliseconds for each time that something happens to a pool. */
const TURN = 500

/** Sent, then its process was killed (behaviour.md 4): the only ways in which a POST may fail while another pool is up. */
const CUT: readonly string[] = ['ERR_FCGI_RESET', 'ERR_FCGI_TRUNCATED']

/** Short phases of bench/failover.ts, against the source. */
backend('php-fpm').describe('three php-fpm pools under constant load', () => {
  let scene: Scene
  const results: PhaseResult[] = []

  before(async () => {
    scene = await stage({
      entry: fileURLToPath(new URL('../../lib/index.ts', import.meta.url)),
      children: 4,
      clients: 50,
      posts: 0.2,
      failTimeout: 300,
      retries: 3,
    })
  })
  after(() => scene?.[Symbol.asyncDispose]())

  for (const phase of PHASES) {
    it(`lose no GET and run no POST twice: ${phase.title}`, async () => {
      const result = await runPhase(scene, phase, TURN)
      results.push(result)
      const journeys = result.failures.map(({ method, journey }) => `${method}: ${journey.join(' → ')}`)
      assert.ok(result.requests > 0)
      assert.deepEqual(result.lostGets, [], journeys.join('\n'))
      assert.equal(result.postsRunTwice, 0)
      assert.deepEqual(
        result.failures.filter(({ code }) => !CUT.includes(code)),
        [],
      )
    })
  }

  it('have run every POST that was answered, once', async () => {
    await scene.load.stop()
    const runs = scene.postsRun()
    assert.ok(scene.load.answeredPosts.size > 0)
    assert.deepEqual(
      [...scene.load.answeredPosts].filter((post) => runs.get(post) !== 1),
      [],
    )
  })

  it('were missed all the same: requests were sent again', () => {
    assert.notEqual(
      results.reduce((sum, { retries }) => sum + retries, 0),
      0,
    )
  })
})
