// The other end of FastCGI: an application in Node, and an Express site that passes /greeter on to it.
import express from 'express'
import { fastcgi } from 'express-fastcgi'
import { createResponder } from 'express-fastcgi/responder'

const { PORT = '8080' } = process.env

const greeter = createResponder(async (req, res) => {
  const { searchParams } = new URL(req.url, 'http://localhost')
  let length = 0
  for await (const chunk of req) length += chunk.length
  res.setHeader('Content-Type', 'text/plain; charset=utf-8')
  res.write(`Hello, ${searchParams.get('name') ?? 'stranger'}!\n`)
  res.end(`You sent ${length} bytes with ${req.method}.\n`)
})
await greeter.listen({ host: '127.0.0.1', port: 0 })

const app = express()
app.use('/greeter', fastcgi({ server: greeter.address, match: /^/, scriptFilename: '/greeter' }))

const server = app.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/greeter?name=Ada`))
