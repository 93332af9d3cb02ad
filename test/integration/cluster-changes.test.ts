import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { heldOf, load, occupy, optionsOf, pair, releaseUntil, stage } from '../support/cluster-scene.ts'
import { eventually } from '../support/eventually.ts'

describe('a share', () => {
  it('goes to the others when its worker is killed', async () => {
    await using scene = await stage({ total: 4, workers: 2, holds: true })
    const [victim, other] = pair(scene)
    occupy(victim, 'victim', 2)
    await eventually('the victim uses its part', () => heldOf(scene, 'victim').length === 2)
    occupy(other, 'other', 6)
    await eventually('the other uses its part', () => heldOf(scene, 'other').length === 2)
    await scene.cluster.kill(victim)
    await eventually('the other has all', () => heldOf(scene, 'other').length === 4)
    assert.equal(scene.counted.most, 4)
  })

  it('is given up by one that needs all, for a new worker', async () => {
    await using scene = await stage({ total: 4, workers: 1, holds: true })
    const [old] = scene.cluster.workers
    assert.ok(old)
    occupy(old, 'old', 100)
    await eventually('the only one uses all', () => heldOf(scene, 'old').length === 4)
    const late = await scene.cluster.fork()
    occupy(late, 'late', 5)
    await releaseUntil(scene, 'old', 'the new one has its part', () => heldOf(scene, 'late').length === 2)
    await eventually('the old one has the rest', () => heldOf(scene, 'old').length === 2)
    assert.equal(scene.counted.most, 4)
  })

  it('stays with a worker that was told to disconnect, until that has ended', async () => {
    await using scene = await stage({ total: 4, workers: 2, holds: true })
    const [leaving, other] = pair(scene)
    occupy(leaving, 'leaving', 2)
    await eventually('the leaving one is at work', () => heldOf(scene, 'leaving').length === 2)
    scene.cluster.disconnect(leaving)
    occupy(other, 'other', 20)
    await eventually('the other uses its part', () => heldOf(scene, 'other').length === 2)
    await releaseUntil(scene, 'other', 'the other goes on', () => scene.fake.requests.length > 6)
    await eventually('and uses its part', () => heldOf(scene, 'other').length === 2)
    assert.equal(scene.open, 4)
    await releaseUntil(scene, 'leaving', 'it has ended', () => scene.cluster.hasEnded(leaving))
    await eventually('the other has all', () => heldOf(scene, 'other').length === 4)
    assert.equal(scene.counted.most, 4)
  })

  it('is another after a reload, when the last worker has reloaded', async () => {
    await using scene = await stage({ total: 2, workers: 2, holds: true })
    const [one, other] = pair(scene)
    for (const worker of [one, other]) occupy(worker, 'all', 10)
    await eventually('all are used', () => heldOf(scene, 'all').length === 2)
    for (const worker of [one, other]) {
      assert.equal(scene.open, 2)
      scene.cluster.reload(worker, optionsOf(scene.fake.address, { total: 6, workers: 2 }))
    }
    await eventually('more are used', () => heldOf(scene, 'all').length === 6)
    assert.equal(scene.counted.most, 6)
  })
})

describe('a cluster whose primary does not import the package', () => {
  it('serves after a second, each worker with the whole, and says what mends it once a worker', async () => {
    await using scene = await stage({ total: 2, workers: 2, deals: false })
    const statuses = await Promise.all(scene.cluster.workers.map((worker) => load(worker, 20)))
    assert.deepEqual(new Set(statuses.flat()), new Set([200]))
    assert.equal(scene.cluster.warnings.length, 2)
    assert.match(scene.cluster.warnings[0] ?? '', /import 'express-fastcgi' in the primary/)
  })

  it('has one total as soon as the primary does', async () => {
    await using scene = await stage({ total: 2, workers: 2, deals: false, holds: true })
    const [one, other] = pair(scene)
    for (const worker of [one, other]) occupy(worker, 'all', 20)
    await eventually('each has the whole', () => heldOf(scene, 'all').length === 4)
    const before = await scene.cluster.heard()
    scene.cluster.deal()
    await eventually('they have joined', async () => (await scene.cluster.heard()) >= before + 4)
    await releaseUntil(scene, 'all', 'the total is kept', () => scene.open === 2)
    const served = scene.fake.requests.length
    await releaseUntil(scene, 'all', 'others are served', () => {
      assert.ok(scene.open <= 2)
      return scene.fake.requests.length >= served + 6
    })
  })
})
