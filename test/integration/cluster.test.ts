import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { heldOf, load, occupy, pair, releaseUntil, stage } from '../support/cluster-scene.ts'
import { eventually } from '../support/eventually.ts'

describe('maxConnections is a total over the workers of a cluster', () => {
  for (const keepAlive of [false, true]) {
    it(`of 3 over 1, 2 and 4, keepAlive ${keepAlive ? 'on' : 'off'}: all serve, and no more is open`, async () => {
      await using scene = await stage({ total: 3, workers: 1, keepAlive })
      const { cluster, counted, fake } = scene
      for (const workers of [1, 2, 4]) {
        await Promise.all(Array.from({ length: workers - cluster.workers.length }, () => cluster.fork()))
        const before = fake.requests.length
        const statuses = await Promise.all(cluster.workers.map((worker) => load(worker, 100)))
        assert.deepEqual(new Set(statuses.flat()), new Set([200]))
        assert.equal(fake.requests.length - before, 100 * workers)
        assert.equal(counted.most, 3)
      }
      assert.deepEqual(cluster.warnings, [])
    })
  }

  it('lets one worker have nearly all of it while the other has nothing to do, then gives that its part', async () => {
    await using scene = await stage({ total: 8, workers: 2, holds: true })
    const [one, other] = pair(scene)
    occupy(one, 'one', 100)
    await eventually('it has all but one', () => heldOf(scene, 'one').length === 7)
    occupy(other, 'other', 4)
    await eventually('the other is served at once', () => heldOf(scene, 'other').length === 1)
    await releaseUntil(scene, 'one', 'it has its part again', () => heldOf(scene, 'other').length === 4)
    await eventually('the one has its part', () => heldOf(scene, 'one').length === 4)
    assert.equal(scene.counted.most, 8)
  })

  it('says nothing while each has enough', async () => {
    await using scene = await stage({ total: 8, workers: 2 })
    for (const worker of scene.cluster.workers) await load(worker, 1)
    const before = await scene.cluster.heard()
    assert.equal(before, 2, 'each has joined')
    for (let round = 0; round < 20; round += 1) await Promise.all(scene.cluster.workers.map((each) => load(each, 4)))
    assert.equal(await scene.cluster.heard(), before)
  })
})
