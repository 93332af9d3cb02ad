import type { FastCgiOptions } from '../lib/index.ts'
import type { GatewaySetup } from './gateway-process.ts'

/** A gateway that hostile clients talk to. */
export interface ClientSetup {
  readonly host: 'node' | 'express'
  readonly mount: string
  /** express.static over the root stands behind it. */
  readonly staticBehind: boolean
  /** The tree has links out of the root. */
  readonly links: boolean
  /** `real`: php-fpm where there is one. */
  readonly backend: 'real' | 'fake'
  readonly options: FastCgiOptions
}

/** The host that the good requests name; hostile ones seldom do. */
export const PROBED_HOST = 'site.test'

const PLAIN = { host: 'node', mount: '/', staticBehind: false, links: false, backend: 'real' } as const

/** The ways in which a site may be set up. */
export const CLIENT_SETUPS: Readonly<Record<string, ClientSetup>> = {
  plain: { ...PLAIN, options: {} },
  kept: { ...PLAIN, options: { keepAlive: true, reuseAfterBody: true, frontController: '/index.php' } },
  static: { ...PLAIN, links: true, options: { static: true, symlinks: 'inside', keepAlive: true } },
  'in front of express.static': { ...PLAIN, host: 'express', staticBehind: true, options: { keepAlive: true } },
  'another host in front of express.static': {
    ...PLAIN,
    host: 'express',
    staticBehind: true,
    options: { hosts: PROBED_HOST, keepAlive: true },
  },
  'mounted in Express': {
    ...PLAIN,
    host: 'express',
    mount: '/app',
    staticBehind: true,
    options: { frontController: '/index.php', static: true },
  },
  streaming: { ...PLAIN, options: { requestBuffering: 'off', keepAlive: true, static: true } },
  buffering: {
    ...PLAIN,
    links: true,
    host: 'express',
    options: {
      requestBuffering: 'on',
      bodyLimit: '20k',
      interceptErrors: true,
      symlinks: 'inside',
      frontController: '/index.php',
      static: true,
    },
  },
  'a strict backend': { ...PLAIN, backend: 'fake', options: { keepAlive: true, reuseAfterBody: true, static: true } },
}

/** The setup of a gateway's process. */
export function setupOf(setup: ClientSetup, { root, address }: { root: string; address: string }): GatewaySetup {
  return {
    host: setup.host,
    mount: setup.mount,
    staticRoot: setup.staticBehind ? root : null,
    // All clients have one address here: where one of them pipelines thousands of requests, the others would be refused with it.
    options: { server: { address, maxConnections: 8, maxFails: 0 }, root, queueLimit: 100_000, ...setup.options },
  }
}
