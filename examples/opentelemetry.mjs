// A span for each request that goes to PHP, on the console; PHP gets it as HTTP_TRACEPARENT.
import { ConsoleSpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import express from 'express'
import { fastcgi } from 'express-fastcgi'
import { traceFastCgi, traceParams } from './opentelemetry/tracing.mjs'

const { FASTCGI_SERVER = '/run/php/php-fpm.sock', PORT = '8080' } = process.env

// Yours has another exporter, and the instrumentations of what else the process does.
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter())] }).register()
traceFastCgi()

const app = express()
app.use(fastcgi({ root: `${import.meta.dirname}/site`, server: FASTCGI_SERVER, params: traceParams }))

const server = app.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/`))
