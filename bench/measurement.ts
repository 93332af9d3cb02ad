import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchOptions } from './arguments.ts'
import type { Case } from './cases.ts'
import { constantRequest } from './constant-request.ts'
import { type Gateway, type NodeGateway, peakMemory, startGateway } from './gateway-process.ts'
import { encodeHttpRequest } from './http-request.ts'
import { type LoadReport, runLoad } from './load.ts'
import type { Cores } from './machine.ts'
import { startNginx } from './nginx.ts'
import { shareOfUnheard } from './profile.ts'
import type { Programs } from './programs.ts'
import { type Responder, type Responders, SMALL_ANSWER } from './responders.ts'

/** One case in one round. */
export interface Measurement {
  /** Of the gateway's process: microseconds a request, or seconds a GiB. */
  readonly cpu: number
  /** Of nginx behind a proxy, counted the same way. */
  readonly otherCpu: number
  /** Requests, or MiB, a second. */
  readonly rate: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Bytes. */
  readonly peakMemory: number | null
  readonly errors: number
  /** Of the CPU, where the case asks for it. */
  readonly share: number | null
}

/** Where cases are measured. */
export interface Bench {
  readonly options: BenchOptions
  /** Private. */
  readonly directory: string
  /** The document root. */
  readonly root: string
  readonly cores: Cores
  readonly programs: Programs
  readonly responders: Responders
}

const GIB = 2 ** 30
const MIB = 2 ** 20

/** A gateway that runs, and the nginx behind it. */
interface Running {
  readonly gateway: Gateway
  /** Null: it is nginx. */
  readonly profiled: NodeGateway | null
  readonly otherPids: readonly number[]
  stop(): Promise<void>
}

/** Starts a gateway of its own for the case, puts it under load, and ends it. */
export async function measure(bench: Bench, one: Case): Promise<Measurement> {
  const request = join(bench.directory, `${one.id}.http`)
  writeFileSync(request, encodeHttpRequest(one.load, bench.options.bodyBytes))
  const running = await startRunning(bench, one, await bench.responders.get(one.responder))
  try {
    const load = (): Promise<LoadReport> => underLoad(bench, one, { running, request })
    // A long body is measured whole: the one before it is for the compiler of the engine.
    if (one.unit === 'GiB') await load()
    const profile = profilePath(bench, one)
    if (profile === null || running.profiled === null)
      return summarize(one, running, { report: await load(), share: null })
    // Once for the compiler of the engine, so that the profile is that of warm code.
    await load()
    await running.profiled.profile(profile)
    const report = await load()
    await running.profiled.profile(profile)
    return summarize(one, running, { report, share: one.share ? shareOfUnheard(profile) : null })
  } finally {
    await running.stop()
  }
}

function profilePath({ options, directory }: Bench, one: Case): string | null {
  if (options.profiles !== null) return join(options.profiles, `${one.id}.cpuprofile`)
  return one.share ? join(directory, `${one.id}.cpuprofile`) : null
}

function summarize(
  { unit }: Case,
  { gateway, otherPids }: Running,
  { report, share }: { report: LoadReport; share: number | null },
): Measurement {
  const own = sum(report.cpu.slice(0, gateway.pids.length))
  const other = sum(report.cpu.slice(gateway.pids.length, gateway.pids.length + otherPids.length))
  // A request is counted in microseconds, a GiB in seconds; a long body is one exchange.
  const amount = unit === 'request' ? report.requests : (bytesOf(report) / GIB) * 1e6
  return {
    cpu: own / amount,
    otherCpu: other / amount,
    rate: (unit === 'request' ? report.requests : bytesOf(report) / MIB) / report.seconds,
    p50: report.p50 / 1_000,
    p99: report.p99 / 1_000,
    peakMemory: peakMemory(gateway.pids),
    errors: report.errors + (report.requests === 0 ? 1 : 0),
    share,
  }
}

/** Of a long body, whichever way it went. */
function bytesOf(report: LoadReport & { readonly uploaded?: number }): number {
  return Math.max(report.bytes, report.uploaded ?? 0)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

async function underLoad(
  { options, programs }: Bench,
  { unit, load }: Case,
  { running, request }: { running: Running; request: string },
): Promise<LoadReport & { readonly uploaded: number }> {
  const uploaded = load.body === 'long' ? options.bodyBytes : 0
  const report = await runLoad(programs.load, {
    address: running.gateway.address,
    request,
    connections: unit === 'GiB' ? 1 : (load.connections ?? 32),
    warm: options.warmSeconds * 1_000,
    warmRequests: options.warmRequests,
    measure: options.seconds * 1_000,
    once: unit === 'GiB',
    upload: uploaded,
    pause: load.pause ?? 0,
    pids: [...running.gateway.pids, ...running.otherPids],
  })
  return { ...report, uploaded }
}

async function startRunning(bench: Bench, one: Case, responder: Responder): Promise<Running> {
  const { kind, transport = 'unix', keepAlive = true } = one.gateway
  const upstream = transport === 'unix' ? `unix:${responder.path}` : `${responder.host}:${responder.port}`
  if (kind === 'nginx') {
    const command = (plain: readonly string[]): readonly string[] => bench.cores.gateway(plain)
    const nginx = await startNginx({ upstream, keepAlive, root: bench.root, command })
    const gateway = { address: nginx.address, pids: nginx.processes(), stop: () => nginx.stop() }
    return { gateway, profiled: null, otherPids: [], stop: () => nginx.stop() }
  }
  const other = kind === 'proxy' ? await startNginx({ upstream, keepAlive: true, root: bench.root }) : null
  const settings = { ...gatewaySettings(bench, one, responder), proxied: other?.address }
  const gateway = await startGateway(settings, (command) => bench.cores.gateway(command))
  return {
    gateway,
    profiled: gateway,
    otherPids: other?.processes() ?? [],
    async stop() {
      await gateway.stop()
      await other?.stop()
    },
  }
}

/** What bench/gateway.mjs is given. */
function gatewaySettings({ options, root }: Bench, { gateway, load, against }: Case, responder: Responder): object {
  const { kind, host = 'bare', transport = 'unix', keepAlive = true, locations = 1 } = gateway
  const { path, host: address, port } = responder
  return {
    kind,
    host,
    backend: transport === 'unix' ? { path } : { host: address, port },
    root,
    keepAlive,
    // A POST on a kept connection is the only one with a body that may keep it.
    reuseAfterBody: keepAlive,
    maxConnections: 64,
    locations,
    bytes: SMALL_ANSWER,
    bodyBytes: options.bodyBytes,
    constant: constantRequest(load, { root, keepAlive }).toString('base64'),
    entry: join((against ? options.against : null) ?? options.dist, 'index.js'),
  }
}
