// The rules come from a file in the manner of the Monkey HTTP server; the environment may replace the address in it.
import express from 'express'
import { fastcgi, loadConfig } from 'express-fastcgi'

const { FASTCGI_SERVER, PORT = '8080' } = process.env

const options = loadConfig(`${import.meta.dirname}/conf/fastcgi.conf`)
if (FASTCGI_SERVER) options.servers = options.servers.map((server) => ({ ...server, address: FASTCGI_SERVER }))

const app = express()
app.use(fastcgi(options))

const server = app.listen(PORT, () => console.log(`http://127.0.0.1:${server.address().port}/`))
