// What the long bodies are measured against: the same bytes between the client and a unix socket, without any FastCGI.
import { connect } from 'node:net'

/** `socket.pipe(res)`. */
export function createRawDown({ backend, bodyBytes }) {
  return (_req, res) => {
    const socket = connect(backend)
    socket.end()
    res.writeHead(200, { 'Content-Type': 'text/html; charset=UTF-8', 'Content-Length': bodyBytes })
    socket.pipe(res)
  }
}

/** The body, read and written to the socket. */
export function createRawUp({ backend }) {
  return (req, res) => {
    const socket = connect(backend)
    req.pipe(socket)
    socket.resume()
    socket.on('end', () => res.end('received'))
  }
}
