// The floor: what a FastCGI gateway on Node costs at least. One constant request, encoded beforehand, on a kept connection; the
// answer is scanned for its end and its body sent under a constant head. It resolves, checks and parses nothing.
import { connect } from 'node:net'

const END_REQUEST = 3
const HEADER = 8

/**
 * @param backend the arguments of `net.connect`
 * @param constant everything before STDIN, with FCGI_KEEP_CONN or without
 * @param emptyStdin the record that ends STDIN, and begins it where there is no body
 */
export function createFloor({ backend, constant, emptyStdin, keepAlive, patterns = [] }) {
  const idle = []
  const whole = Buffer.concat([constant, emptyStdin])
  let cgiHead = -1

  function open() {
    const connection = { socket: connect(backend), res: null, rest: null }
    connection.socket.on('data', (chunk) => scan(connection, chunk))
    return connection
  }

  function scan(connection, chunk) {
    const bytes = connection.rest === null ? chunk : Buffer.concat([connection.rest, chunk])
    for (let at = 0; at + HEADER <= bytes.length; ) {
      const end = at + HEADER + (bytes[at + 4] << 8) + bytes[at + 5] + bytes[at + 6]
      if (bytes[at + 1] === END_REQUEST && end <= bytes.length) return answer(connection, bytes)
      at = end
    }
    connection.rest = bytes
  }

  function answer(connection, bytes) {
    const { res, socket } = connection
    connection.rest = null
    if (keepAlive) idle.push(connection)
    else socket.destroy()
    // The head of the first answer is as long as every other's.
    if (cgiHead < 0) cgiHead = bytes.indexOf('\r\n\r\n') + 4 - HEADER
    const body = bytes.subarray(HEADER + cgiHead, HEADER + (bytes[4] << 8) + bytes[5])
    res.writeHead(200, {
      'X-Powered-By': 'bench',
      'Content-Type': 'text/html; charset=UTF-8',
      'Content-Length': body.length,
    })
    res.end(body)
  }

  function send(res, request) {
    const connection = idle.pop() ?? open()
    connection.res = res
    connection.socket.write(request)
  }

  return (req, res) => {
    for (const pattern of patterns) if (pattern.test(req.url)) break
    if (req.method === 'GET') return send(res, whole)
    req.once('data', (body) => {
      const header = Buffer.from([1, 5, 0, 1, body.length >> 8, body.length & 255, 0, 0])
      req.once('end', () => send(res, Buffer.concat([constant, header, body, emptyStdin])))
    })
  }
}
