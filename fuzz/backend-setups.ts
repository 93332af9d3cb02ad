import type { FastCgiOptions } from '../lib/index.ts'
import type { GatewaySetup } from './gateway-process.ts'
import type { AnswerRules } from './verdict.ts'

/** A gateway that talks to a hostile backend. */
export interface BackendSetup extends AnswerRules {
  readonly host: GatewaySetup['host']
  readonly over: 'unix' | 'tcp'
  readonly options: FastCgiOptions
  /** Of the server. */
  readonly maxFails: number
}

const PLAIN = { host: 'node', over: 'unix', interceptErrors: false, takesDown: false, maxFails: 0 } as const

/** The ways in which a gateway may be set up. */
export const BACKEND_SETUPS: Readonly<Record<string, BackendSetup>> = {
  plain: { ...PLAIN, options: {} },
  kept: { ...PLAIN, options: { keepAlive: true, reuseAfterBody: true } },
  'kept over TCP': { ...PLAIN, over: 'tcp', options: { keepAlive: true, requestBuffering: 'off' } },
  'errors of the host': {
    ...PLAIN,
    host: 'express',
    interceptErrors: true,
    options: { interceptErrors: true, keepAlive: true, requestBuffering: 'on', responseBuffer: 1 },
  },
  'HTTP/2': { ...PLAIN, host: 'http2', options: { keepAlive: true, reuseAfterBody: true } },
  'a server that is taken down': {
    ...PLAIN,
    takesDown: true,
    maxFails: 3,
    options: { keepAlive: true, retries: 3, queueTimeout: '2s' },
  },
}

/** Milliseconds that the gateway waits for a backend that has fallen silent. */
const SILENCE = 2_000

/** The setup of a gateway's process. */
export function gatewaySetupOf({ host, options, maxFails }: BackendSetup, address: string): GatewaySetup {
  const server = { address, maxConnections: 6, maxFails, failTimeout: 30 }
  const timeouts = { readTimeout: SILENCE, sendTimeout: SILENCE, connectTimeout: SILENCE }
  const location = { match: '/x', scriptFilename: '/hostile.php' }
  return { host, mount: '/', staticRoot: null, options: { server, ...location, ...timeouts, ...options } }
}
