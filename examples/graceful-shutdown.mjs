// SIGTERM ends the process without losing a request: no new connections, then those under way, then the backend's.
import express from 'express'
import { fastcgi } from 'express-fastcgi'

const { FASTCGI_SERVER = '/run/php/php-fpm.sock', PORT = '8080' } = process.env

const php = fastcgi({ root: `${import.meta.dirname}/site`, server: FASTCGI_SERVER, keepAlive: true })
const app = express()
app.use(php)

const server = app.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/`))

process.once('SIGTERM', () => {
  server.close(async () => {
    await php.close()
    console.log('every request is answered, every connection closed')
  })
})
