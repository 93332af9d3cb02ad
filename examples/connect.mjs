// The same handler in Connect.
import connect from 'connect'
import { fastcgi } from 'express-fastcgi'

const { FASTCGI_SERVER = '/run/php/php-fpm.sock', PORT = '8080' } = process.env

const app = connect()
app.use(fastcgi({ root: `${import.meta.dirname}/site`, server: FASTCGI_SERVER, static: true }))

const server = app.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/`))
