// An Express site whose .php URLs are answered by php-fpm.
import express from 'express'
import { fastcgi } from 'express-fastcgi'

const { FASTCGI_SERVER = '/run/php/php-fpm.sock', PORT = '8080' } = process.env

const app = express()
app.use(fastcgi({ root: `${import.meta.dirname}/site`, server: FASTCGI_SERVER }))

const server = app.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/`))
