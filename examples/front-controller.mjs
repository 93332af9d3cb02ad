// Pretty URLs: what is no file goes to index.php, as Laravel, Symfony and WordPress want it.
import express from 'express'
import { fastcgi } from 'express-fastcgi'

const { FASTCGI_SERVER = '/run/php/php-fpm.sock', PORT = '8080' } = process.env
const root = `${import.meta.dirname}/front-controller`

const app = express()
app.use(fastcgi({ root, server: FASTCGI_SERVER, frontController: '/index.php', static: true }))

const server = app.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/hello/world`))
