import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { Server } from 'node:net'
import connect from 'connect'
import express from 'express'
import express4 from 'express4'
import type { FastCgiHandler } from '../../lib/middleware.ts'

/** How a handler is put into a host. */
export interface Mounting {
  /** Where the host mounts it; hosts without mounting ignore it. */
  readonly mount?: string
}

/** Something that calls `(req, res, next)`. */
export interface Host {
  readonly name: string
  readonly http2: boolean
  /** It has a way to mount a handler under a path. */
  readonly mounts: boolean
  /** It calls error handlers: `next(error)` reaches them. */
  readonly handlesErrors: boolean
  create(handler: FastCgiHandler, mounting?: Mounting): Server
}

/** What the host answers where the handler calls `next()`. */
export const PASSED_ON: string = 'passed on by the handler'

/** What the host's error handler answers: the status and the code. */
function errorText(error: unknown): string {
  return `error ${(error as { code?: string }).code}`
}

/** Everything the middleware must run under: one table, so that no test forgets one. */
export const hosts: readonly Host[] = [
  {
    name: 'Express 5',
    http2: false,
    mounts: true,
    handlesErrors: true,
    create(handler, { mount = '/' } = {}) {
      const app = express()
      app.use(mount, handler)
      app.use((_req, res) => void res.status(404).send(PASSED_ON))
      app.use(((error, _req, res, _next) => {
        res.status(error.status).send(errorText(error))
      }) satisfies express.ErrorRequestHandler)
      return createServer(app)
    },
  },
  {
    name: 'Express 4',
    http2: false,
    mounts: true,
    handlesErrors: true,
    create(handler, { mount = '/' } = {}) {
      const app = express4()
      app.use(mount, handler)
      app.use((_req, res) => void res.status(404).send(PASSED_ON))
      app.use(((error, _req, res, _next) => {
        res.status(error.status).send(errorText(error))
      }) satisfies express4.ErrorRequestHandler)
      return createServer(app)
    },
  },
  {
    name: 'Connect',
    http2: false,
    mounts: true,
    handlesErrors: true,
    create(handler, { mount = '/' } = {}) {
      const app = connect()
      app.use(mount, handler)
      app.use((_req, res) => {
        res.statusCode = 404
        res.end(PASSED_ON)
      })
      app.use(((error, _req, res, _next) => {
        res.statusCode = error.status
        res.end(errorText(error))
      }) satisfies connect.ErrorHandleFunction)
      return createServer(app)
    },
  },
  {
    name: 'node:http',
    http2: false,
    mounts: false,
    handlesErrors: false,
    create: (handler) => createServer(handler),
  },
  {
    name: 'node:http in front of Express 5',
    http2: false,
    mounts: false,
    handlesErrors: true,
    create(handler) {
      const app = express()
      app.use((_req, res) => void res.status(404).send(PASSED_ON))
      return createServer((req, res) =>
        handler(req, res, (error?: unknown) => {
          if (error === undefined) return app(req, res)
          res.statusCode = (error as { status: number }).status
          res.end(errorText(error))
        }),
      )
    },
  },
  {
    name: 'node:http2',
    http2: true,
    mounts: false,
    handlesErrors: false,
    create: (handler) =>
      createHttp2Server((req, res) =>
        // The compatibility API has the shape of node:http, its types do not say so.
        handler(req as unknown as Parameters<FastCgiHandler>[0], res as unknown as Parameters<FastCgiHandler>[1]),
      ),
  },
]
