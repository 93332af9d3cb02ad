// PHP is answered before Express sees the request, which saves Express's own cost; Express has what is left.
import { createServer } from 'node:http'
import express from 'express'
import { fastcgi } from 'express-fastcgi'

const { FASTCGI_SERVER = '/run/php/php-fpm.sock', PORT = '8080' } = process.env

const app = express()
app.get('/node', (_req, res) => res.send('This is Express\n'))

const php = fastcgi({ root: `${import.meta.dirname}/site`, server: FASTCGI_SERVER })
const server = createServer((req, res) => {
  php(req, res, (error) => {
    if (error) res.writeHead(error.status, error.headers).end()
    else app(req, res)
  })
})

server.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/`))
