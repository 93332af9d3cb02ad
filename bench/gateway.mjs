// The measured process, plain Node: `node bench/gateway.mjs JSON`, with an IPC channel. It tells its port, then serves until the
// channel closes. `profile` messages begin and end a CPU profile.
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'
import express from 'express'
import { createFloor } from './floor.mjs'
import { createRawDown, createRawUp } from './raw.mjs'

const settings = JSON.parse(process.argv[2])
const { kind, host, backend } = settings

/** Patterns of the other locations; the request of the bench matches none of them. */
function others(count) {
  return Array.from({ length: count }, (_, index) => new RegExp(`^/application${index}(?:/|$)`))
}

const answer = Buffer.alloc(settings.bytes, 'x')
const ANSWER_HEAD = {
  'X-Powered-By': 'bench',
  'Content-Type': 'text/html; charset=UTF-8',
  'Content-Length': answer.length,
}

/**
 * Of long bodies garbage collection is what costs most, and it costs by what is in memory (V8 does not mark while a program runs as long as that is
 * below 8 MiB): there the package is in memory, as Express is, whoever answers.
 */
function loadPackage() {
  return import(pathToFileURL(settings.entry).href)
}

const KINDS = {
  http: () => (_req, res) => {
    res.writeHead(200, ANSWER_HEAD)
    res.end(answer)
  },
  express: () => (_req, res) => res.set(ANSWER_HEAD).send(answer),
  floor: () =>
    createFloor({
      ...settings,
      constant: Buffer.from(settings.constant, 'base64'),
      emptyStdin: Buffer.from([1, 5, 0, 1, 0, 0, 0, 0]),
      patterns: others(settings.locations - 1),
    }),
  rawDown: async () => {
    await loadPackage()
    return createRawDown(settings)
  },
  rawUp: async () => {
    await loadPackage()
    return createRawUp(settings)
  },
  ours: async () => {
    const { fastcgi } = await loadPackage()
    const { root, keepAlive, maxConnections, reuseAfterBody, locations } = settings
    const address = backend.path ?? `${backend.host}:${backend.port}`
    const names = others(locations - 1).map((match, index) => ({ name: `application${index}`, match }))
    return fastcgi({
      root,
      keepAlive,
      reuseAfterBody,
      server: { address, maxConnections },
      ...(names.length > 0 && { locations: [...names, { name: 'php', match: /\.php(?:\/|$)/ }] }),
    })
  },
  expressPhpFpm: async () => {
    const { default: module } = await import('express-php-fpm')
    return module.default({ documentRoot: settings.root, env: {}, socketOptions: backend })
  },
  proxy: async () => {
    const { Agent } = await import('node:http')
    const { createProxyMiddleware } = await import('http-proxy-middleware')
    return createProxyMiddleware({
      target: `http://${settings.proxied}`,
      ...(settings.keepAlive && { agent: new Agent({ keepAlive: true }) }),
    })
  },
}

/** Where the handler stands. */
const HOSTS = {
  bare: (handler) => handler,
  behind: (handler) => {
    const app = express()
    app.use(handler)
    return app
  },
  before: (handler) => {
    const app = express()
    app.get('/', (_req, res) => res.send('Express'))
    return (req, res) => handler(req, res, () => app(req, res))
  },
}

/** Begins a CPU profile; the function it gives writes the file. */
async function profile(file) {
  const { Session } = await import('node:inspector/promises')
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 100 })
  await session.post('Profiler.start')
  return async () => {
    const { profile: result } = await session.post('Profiler.stop')
    session.disconnect()
    writeFileSync(file, JSON.stringify(result))
  }
}

let endProfile = null
process.on('disconnect', () => process.exit())
process.on('message', async ({ profile: file }) => {
  if (endProfile === null) endProfile = await profile(file)
  else {
    await endProfile()
    endProfile = null
  }
  process.send({ profiling: endProfile !== null })
})

const server = createServer(HOSTS[host](await KINDS[kind]()))
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => process.send({ port: server.address().port }))
