// The gateway of the failover bench, plain Node: `node bench/failover/gateway.mjs JSON`, with an IPC channel. It tells its port, then
// serves until the channel closes; each message is answered with what happened since the one before.
import { subscribe } from 'node:diagnostics_channel'
import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'

const { entry, options } = JSON.parse(process.argv[2])

let report = nothingYet()

function nothingYet() {
  return { retries: 0, downs: 0, ups: 0, failures: [] }
}

/** What each request that is under way went through: servers, and after each one that failed its error. */
const journeys = new Map()

function note(request, step) {
  journeys.set(request, [...(journeys.get(request) ?? []), step])
}

subscribe('express-fastcgi:backend:attempt', ({ request, server }) => note(request, server))
subscribe('express-fastcgi:backend:retry', ({ request, error }) => {
  report.retries += 1
  note(request, describe(error))
})
subscribe('express-fastcgi:backend:down', () => {
  report.downs += 1
})
subscribe('express-fastcgi:backend:up', () => {
  report.ups += 1
})
subscribe('express-fastcgi:request:end', ({ request }) => journeys.delete(request))
subscribe('express-fastcgi:request:error', ({ request, method, error }) => {
  note(request, describe(error))
  report.failures.push({ method, code: error.code, journey: journeys.get(request) })
  journeys.delete(request)
})

function describe({ code, detail }) {
  return `${code}: ${detail}`
}

process.on('disconnect', () => process.exit())
process.on('message', () => {
  process.send(report)
  report = nothingYet()
})

const { fastcgi } = await import(pathToFileURL(entry).href)
const handler = fastcgi({ ...options, logger: false })
const server = createServer((req, res) => handler(req, res))
// A client of the bench sends as soon as it has an answer: no connection of theirs is to be closed between.
server.keepAliveTimeout = 60_000
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => process.send({ port: server.address().port }))
