// PHP below /app of an Express site: SCRIPT_NAME, REQUEST_URI and redirects have /app in front.
import express from 'express'
import { fastcgi } from 'express-fastcgi'

const { FASTCGI_SERVER = '/run/php/php-fpm.sock', PORT = '8080' } = process.env
const root = `${import.meta.dirname}/site`

const app = express()
app.get('/', (_req, res) => res.redirect('/app/'))
app.use('/app', fastcgi({ root, server: FASTCGI_SERVER }), express.static(root))

const server = app.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/app/`))
