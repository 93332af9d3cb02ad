import type { FastCgiOptions } from '../../lib/index.ts'
import { type ClusterProcess, type ClusterWorker, startCluster } from './cluster-process.ts'
import { CountedConnections } from './counted-connections.ts'
import { eventually } from './eventually.ts'
import { ask } from './http-client.ts'
import { type Fake, type FakeRequest, startFake } from './responder.ts'

/** A cluster before a fake responder that counts. */
export interface Scene extends AsyncDisposable {
  readonly cluster: ClusterProcess
  readonly fake: Fake
  readonly counted: CountedConnections
  /** Requests that are held, in their order. */
  readonly held: FakeRequest[]
  /** Connections that the backend sees now. */
  readonly open: number
}

/** How a {@link Scene} is set. */
export interface SceneOptions {
  readonly total: number
  readonly workers: number
  readonly keepAlive?: boolean
  readonly deals?: boolean
  /** Requests are not answered until the test does. */
  readonly holds?: boolean
}

/** For the workers of a scene, now or by a reload. */
export function optionsOf(address: string, { total, keepAlive = false }: SceneOptions): FastCgiOptions {
  return {
    server: { address, maxConnections: total },
    scriptFilename: '/app/x.php',
    match: '/{*path}',
    keepAlive,
    queueTimeout: 0,
  }
}

/** Sets one. */
export async function stage(options: SceneOptions): Promise<Scene> {
  const counted = new CountedConnections()
  const held: FakeRequest[] = []
  const script = async (request: FakeRequest): Promise<void> => {
    if (options.holds === true) return void held.push(request)
    await counted.settled()
    await request.answer('Content-Type: text/plain\r\n\r\nserved')
  }
  const fake = await startFake(script, {
    onConnection: (connection) => counted.accept(() => !connection.ended && !connection.closed),
  })
  const { workers, deals = true } = options
  const cluster = await startCluster(optionsOf(fake.address, options), { workers, deals })
  return {
    ...{ cluster, fake, counted, held },
    get open() {
      return counted.open
    },
    async [Symbol.asyncDispose]() {
      await cluster.stop()
      await fake.stop()
    },
  }
}

/** Sends so many requests at once; resolves with their statuses. */
export async function load({ url }: ClusterWorker, requests: number): Promise<number[]> {
  return await Promise.all(Array.from({ length: requests }, async () => (await ask(url)).status))
}

/** Requests that are going to be held, or cut by the end of their worker. */
export function occupy({ url }: ClusterWorker, path: string, requests: number): void {
  for (let request = 0; request < requests; request += 1) ask(`${url}/${path}`).catch(() => undefined)
}

/** Answers one after the other, of a path, until something is so. */
export async function releaseUntil(scene: Scene, path: string, what: string, condition: () => boolean): Promise<void> {
  await eventually(what, async () => {
    if (condition()) return true
    const [first] = heldOf(scene, path)
    if (first === undefined) return false
    scene.held.splice(scene.held.indexOf(first), 1)
    await scene.counted.settled()
    await first.answer('Content-Type: text/plain\r\n\r\nserved')
    return false
  })
}

/** Those under way, of a path. */
export function heldOf({ held }: Scene, path: string): FakeRequest[] {
  return held.filter(
    ({ params, connection }) => params.get('REQUEST_URI') === `/${path}` && !connection.ended && !connection.closed,
  )
}

/** The first two workers. */
export function pair(scene: Scene): [ClusterWorker, ClusterWorker] {
  const [one, other] = scene.cluster.workers
  if (one === undefined || other === undefined) throw new Error('There are no two workers')
  return [one, other]
}
