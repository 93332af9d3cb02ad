// PHP and static files from one folder. The order is the point: whatever names a script, in any spelling, has been
// served or refused by the time that express.static looks. The other way round it would send the scripts' source.
import express from 'express'
import { fastcgi } from 'express-fastcgi'

const { FASTCGI_SERVER = '/run/php/php-fpm.sock', PORT = '8080' } = process.env
const root = `${import.meta.dirname}/site`

const app = express()
app.use(fastcgi({ root, server: FASTCGI_SERVER }))
app.use(express.static(root))

const server = app.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/`))
