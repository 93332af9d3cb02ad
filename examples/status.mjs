// How the backends are, on a page at /status that redraws itself; as JSON and for Prometheus too. Here for this machine alone.
import express from 'express'
import { fastcgi } from 'express-fastcgi'

const { FASTCGI_SERVER = '/run/php/php-fpm.sock', PORT = '8080' } = process.env

const php = fastcgi({ root: `${import.meta.dirname}/site`, server: FASTCGI_SERVER, keepAlive: true })

const app = express()
app.use('/status', onlyFromHere, fastcgi.status(php))
app.use(php)

const server = app.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/status`))

// Behind a proxy every peer is the proxy: ask for a password there instead.
function onlyFromHere(req, res, next) {
  if (['127.0.0.1', '::1', '::ffff:127.0.0.1'].includes(req.socket.remoteAddress)) return next()
  res.sendStatus(403)
}
