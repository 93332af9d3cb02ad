// No framework: the handler is all that node:http needs. What it does not serve is a 404.
import { createServer } from 'node:http'
import { fastcgi } from 'express-fastcgi'

const { FASTCGI_SERVER = '/run/php/php-fpm.sock', PORT = '8080' } = process.env

const server = createServer(fastcgi({ root: `${import.meta.dirname}/site`, server: FASTCGI_SERVER, static: true }))

server.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/`))
