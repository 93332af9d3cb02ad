/** What the gateway asks. `small` answers 100 bytes, `down` a long body, `php` is a real php-fpm. */
export type ResponderName = 'small' | 'down' | 'downSmallRecords' | 'pausing' | 'rawDown' | 'rawUp' | 'php'

/** The measured process. */
export interface GatewayCase {
  /** `nginx` is nginx itself, every other a handler of bench/gateway.mjs. */
  readonly kind: 'http' | 'express' | 'floor' | 'ours' | 'rawDown' | 'rawUp' | 'expressPhpFpm' | 'proxy' | 'nginx'
  /** On bare `node:http`, behind Express 5, or before it in the same process. Default bare. */
  readonly host?: 'bare' | 'behind' | 'before'
  /** To the FastCGI application. Default unix. */
  readonly transport?: 'unix' | 'tcp'
  /** Of the connection to the backend (for `proxy`: to nginx). Default true. */
  readonly keepAlive?: boolean
  /** Locations, the last of which serves. Default 1. */
  readonly locations?: number
}

/** What the clients do. */
export interface LoadCase {
  /** Default 32. */
  readonly connections?: number
  /** Header fields of the request. Default 4, what curl sends. */
  readonly headers?: number
  /** `small`: a POST of 1 KiB. `long`: the long body of the bench. Default: a GET. */
  readonly body?: 'small' | 'long'
  /** One exchange with a long body; the client reads nothing for so many milliseconds after its first bytes. */
  readonly pause?: number
}

/** One thing that is measured. */
export interface Case {
  readonly id: string
  readonly title: string
  /** What the figures are counted by. */
  readonly unit: 'request' | 'GiB'
  readonly responder: ResponderName
  readonly gateway: GatewayCase
  readonly load: LoadCase
  /** Another build of the package, of `--against`. */
  readonly against?: boolean
  /** Share of the CPU that goes into what nobody listens to, told by a profile. */
  readonly share?: boolean
}

/** For how long a paused client or backend reads nothing, in milliseconds. */
export const PAUSE = 2_000

function small(id: string, title: string, gateway: GatewayCase, load: LoadCase = {}): Case {
  return { id, title, unit: 'request', responder: 'small', gateway, load }
}

function long(id: string, title: string, gateway: GatewayCase, more: Partial<Case>): Case {
  return { id, title, unit: 'GiB', responder: 'small', gateway, load: {}, ...more }
}

const BODY: LoadCase = { body: 'small' }

/** Beside each other stands what is compared. */
export const CASES: readonly Case[] = [
  small('http', 'node:http by itself', { kind: 'http' }),
  small('floor', 'floor', { kind: 'floor' }),
  small('ours', 'express-fastcgi', { kind: 'ours' }),
  small('before', 'express-fastcgi before Express', { kind: 'ours', host: 'before' }),
  small('nginx', 'nginx', { kind: 'nginx' }),
  small('floor-close', 'floor, no keep-alive', { kind: 'floor', keepAlive: false }),
  small('ours-close', 'express-fastcgi, no keep-alive', { kind: 'ours', keepAlive: false }),
  small('nginx-close', 'nginx, no keep-alive', { kind: 'nginx', keepAlive: false }),
  small('floor-tcp', 'floor, TCP', { kind: 'floor', transport: 'tcp' }),
  small('ours-tcp', 'express-fastcgi, TCP', { kind: 'ours', transport: 'tcp' }),
  small('floor-tcp-close', 'floor, TCP, no keep-alive', { kind: 'floor', transport: 'tcp', keepAlive: false }),
  small('ours-tcp-close', 'express-fastcgi, TCP, no keep-alive', { kind: 'ours', transport: 'tcp', keepAlive: false }),
  small('express', 'Express by itself', { kind: 'express', host: 'behind' }),
  small('floor-behind', 'floor behind Express', { kind: 'floor', host: 'behind' }),
  small('ours-behind', 'express-fastcgi behind Express', { kind: 'ours', host: 'behind' }),
  small('express-php-fpm', 'express-php-fpm behind Express', { kind: 'expressPhpFpm', host: 'behind' }),
  small('proxy', 'http-proxy-middleware, nginx', { kind: 'proxy', host: 'behind', keepAlive: false }),
  small('proxy-keep', 'the same with a keep-alive agent', { kind: 'proxy', host: 'behind' }),
  small('floor-post', 'POST 1 KiB: floor', { kind: 'floor' }, BODY),
  small('ours-post', 'POST 1 KiB: express-fastcgi', { kind: 'ours' }, BODY),
  small('floor-post-close', 'POST 1 KiB, no keep-alive: floor', { kind: 'floor', keepAlive: false }, BODY),
  small('ours-post-close', 'POST 1 KiB, no keep-alive: express-fastcgi', { kind: 'ours', keepAlive: false }, BODY),
  small('clients-32', '32 clients, 64 connections', { kind: 'ours' }, { connections: 32 }),
  small('clients-1000', '1,000 clients, 64 connections', { kind: 'ours' }, { connections: 1_000 }),
  small('floor-clients-1000', '1,000 clients, floor', { kind: 'floor' }, { connections: 1_000 }),
  ...[10, 1_000].flatMap((locations) => [
    small(`floor-locations-${locations}`, `floor and ${locations} patterns`, { kind: 'floor', locations }),
    small(`ours-locations-${locations}`, `express-fastcgi, ${locations} locations`, { kind: 'ours', locations }),
  ]),
  ...[10, 100].flatMap((headers) => [
    small(`floor-headers-${headers}`, `floor, ${headers} request headers`, { kind: 'floor' }, { headers }),
    small(`ours-headers-${headers}`, `express-fastcgi, ${headers} request headers`, { kind: 'ours' }, { headers }),
  ]),
  { ...small('diagnostics', 'express-fastcgi, profiled', { kind: 'ours' }), share: true },
  long('raw-down', 'down: socket.pipe(res)', { kind: 'rawDown' }, { responder: 'rawDown' }),
  long('ours-down', 'down: express-fastcgi', { kind: 'ours' }, { responder: 'down' }),
  long('ours-down-8k', 'down: records of 8 KiB', { kind: 'ours' }, { responder: 'downSmallRecords' }),
  long('ours-down-paused', 'down: paused client', { kind: 'ours' }, { responder: 'down', load: { pause: PAUSE } }),
  long('raw-up', 'up: req.pipe(socket)', { kind: 'rawUp' }, { responder: 'rawUp', load: { body: 'long' } }),
  long('ours-up', 'up: express-fastcgi', { kind: 'ours' }, { load: { body: 'long' } }),
  long('ours-up-paused', 'up: paused backend', { kind: 'ours' }, { responder: 'pausing', load: { body: 'long' } }),
  { ...small('php-floor', 'php-fpm: floor', { kind: 'floor' }), responder: 'php' },
  { ...small('php-ours', 'php-fpm: express-fastcgi', { kind: 'ours' }), responder: 'php' },
  { ...small('php-nginx', 'php-fpm: nginx', { kind: 'nginx' }), responder: 'php' },
  {
    ...small('php-express-php-fpm', 'php-fpm: express-php-fpm', { kind: 'expressPhpFpm', host: 'behind' }),
    responder: 'php',
  },
]

function isWanted(id: string, only: readonly string[]): boolean {
  return only.some((wanted) => (wanted.endsWith('*') ? id.startsWith(wanted.slice(0, -1)) : id === wanted))
}

/** The cases that `--only` names; with `--against` each of ours is followed by its twin of the other build. */
export function selectCases(only: readonly string[], against: boolean): readonly Case[] {
  const cases = only.length === 0 ? CASES : CASES.filter(({ id }) => isWanted(id, only))
  if (cases.length === 0) throw new Error(`--only: no case is called ${only.join(', ')} (--list tells them)`)
  if (!against) return cases
  return cases.flatMap((one) => (one.gateway.kind === 'ours' ? [one, twinOf(one)] : [one]))
}

function twinOf(one: Case): Case {
  return { ...one, id: `${one.id}@against`, title: `${one.title} (the other build)`, against: true }
}
