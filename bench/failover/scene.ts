import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type PrivateDirectory, privateDirectory } from '../../test/support/private-directory.ts'
import { type Gateway, startGateway } from './gateway-process.ts'
import { Load } from './load.ts'
import { Pool } from './pool.ts'

/** How large the scene is. */
export interface SceneOptions {
  /** The package: `index.js` of a build, or `index.ts` of the source. */
  readonly entry: string
  /** Children of each pool, and connections that the gateway may open to it. */
  readonly children: number
  readonly clients: number
  /** Part of the requests that are POSTs. */
  readonly posts: number
  /** Milliseconds, as in the gateway's options. */
  readonly failTimeout: number
  readonly retries: number
}

/** Three pools, a gateway before them, and clients that never rest. */
export interface Scene extends AsyncDisposable {
  readonly pools: readonly Pool[]
  readonly gateway: Gateway
  readonly load: Load
  /** How often each POST has run, by its number. */
  postsRun(): ReadonlyMap<string, number>
}

/** Writes the number of a POST first, in one write to the end of the file (O_APPEND); then it is under way for a while, so that most children are at work. */
const SCRIPT = `<?php
if ($_SERVER['REQUEST_METHOD'] === 'POST') file_put_contents(getenv('POSTS'), $_POST['id'] . "\\n", FILE_APPEND);
usleep(20000);
header('Content-Type: text/plain');
echo getenv('POOL'), ' ', getmypid(), "\\n";
`

function preparePools(directory: PrivateDirectory, children: number, log: string): readonly Pool[] {
  return ['a', 'b', 'c'].map((name) => {
    const address = join(directory.path, `${name}.sock`)
    return new Pool({ name, address, children, environment: { POOL: name, POSTS: log } })
  })
}

/** Sets it. */
export async function stage(options: SceneOptions): Promise<Scene> {
  const directory = privateDirectory('failover')
  const [root, log] = [join(directory.path, 'htdocs'), join(directory.path, 'posts.log')]
  mkdirSync(root)
  writeFileSync(join(root, 'index.php'), SCRIPT)
  writeFileSync(log, '')
  const { entry, children, clients, posts, failTimeout, retries } = options
  const pools = preparePools(directory, children, log)
  await Promise.all(pools.map((pool) => pool.start()))
  const servers = pools.map(({ name, address }) => ({
    ...{ name, address, failTimeout },
    maxConnections: children,
    restarts: true,
  }))
  const gateway = await startGateway(entry, { root, servers, retries, keepAlive: true })
  const load = new Load({ port: gateway.port, clients, posts })
  return {
    ...{ pools, gateway, load },
    postsRun() {
      const runs = new Map<string, number>()
      for (const number of readFileSync(log, 'utf8').split('\n').slice(0, -1)) {
        runs.set(number, (runs.get(number) ?? 0) + 1)
      }
      return runs
    },
    async [Symbol.asyncDispose]() {
      await load.stop()
      await gateway.stop()
      await Promise.all(pools.map((pool) => pool.crash()))
      directory.remove()
    },
  }
}
