// The twin of bench/responder.c, for machines without a compiler: the same arguments, the same bytes.
import { createServer } from 'node:net'

const BEGIN_REQUEST = 1
const END_REQUEST = 3
const STDIN = 5
const STDOUT = 6
const KEEP_CONN = 1
const HEADER = 8

const settings = Object.fromEntries(process.argv.slice(2).map((argument) => argument.split(/=(.*)/s)))
const bytes = Number(settings.bytes ?? 100)
const recordSize = Number(settings.record ?? 65_528)
const pause = Number(settings.pause ?? 0)
const raw = settings.raw === '1'

function frame(type, content) {
  const padding = -content.length & 7
  const header = Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, padding, 0])
  return Buffer.concat([header, content, Buffer.alloc(padding)])
}

const head = Buffer.from(
  `X-Powered-By: bench\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: ${bytes}\r\n\r\n`,
)
const withHead = Math.min(bytes, recordSize - head.length)
const end = frame(END_REQUEST, Buffer.alloc(8))
const first = frame(STDOUT, Buffer.concat([head, Buffer.alloc(withHead, 'x')]))
const full = frame(STDOUT, Buffer.alloc(recordSize, 'x'))
const rest = (bytes - withHead) % recordSize
const last = rest > 0 ? Buffer.concat([frame(STDOUT, Buffer.alloc(rest, 'x')), end]) : end
const fullRecords = Math.floor((bytes - withHead) / recordSize)
const short = fullRecords === 0 ? Buffer.concat([first, last]) : null
const rawPart = Buffer.alloc(1 << 18, 'x')

function setId(part, id) {
  for (let at = 0; at < part.length; at += HEADER + part.readUInt16BE(at + 4) + (part[at + 6] ?? 0)) {
    part.writeUInt16BE(id, at + 2)
  }
  return part
}

function* parts(id) {
  if (short !== null) return yield setId(Buffer.from(short), id)
  yield setId(Buffer.from(first), id)
  setId(full, id)
  for (let index = 0; index < fullRecords; index += 1) yield full
  yield setId(Buffer.from(last), id)
}

function* rawParts() {
  for (let left = bytes; left > 0; left -= rawPart.length) {
    yield left < rawPart.length ? rawPart.subarray(0, left) : rawPart
  }
}

function send(socket, answer, done) {
  // By hand: `for of` would close the generator when it waits.
  for (let part = answer.next(); !part.done; part = answer.next()) {
    if (!socket.write(part.value)) return socket.once('drain', () => send(socket, answer, done))
  }
  done()
}

/** One connection: records in, answers out. */
class Exchange {
  #socket
  #header = Buffer.alloc(HEADER)
  #headerLength = 0
  #skip = 0
  #seen = 0
  #keep = false
  #paused = false

  constructor(socket) {
    this.#socket = socket
    socket.on('data', (chunk) => (raw ? this.#pauseOnce() : this.#read(chunk)))
    socket.on('end', () => (raw ? send(socket, rawParts(), () => socket.end()) : socket.end()))
    socket.on('error', () => socket.destroy())
  }

  #pauseOnce() {
    if (pause === 0 || this.#paused) return
    this.#paused = true
    this.#socket.pause()
    setTimeout(() => this.#socket.resume(), pause)
  }

  #read(chunk) {
    for (let at = 0; at < chunk.length; ) {
      if (this.#skip > 0) {
        const part = Math.min(this.#skip, chunk.length - at)
        const flags = 2 - this.#seen
        if (this.#header[1] === BEGIN_REQUEST && flags >= 0 && flags < part)
          this.#keep = (chunk[at + flags] & KEEP_CONN) !== 0
        this.#seen += part
        this.#skip -= part
        at += part
        continue
      }
      this.#header[this.#headerLength++] = chunk[at++]
      if (this.#headerLength === HEADER) this.#begin()
    }
  }

  #begin() {
    this.#headerLength = 0
    this.#seen = 0
    const length = this.#header.readUInt16BE(4)
    this.#skip = length + this.#header[6]
    if (this.#header[1] !== STDIN) return
    if (length > 0) return this.#pauseOnce()
    this.#paused = false
    const keep = this.#keep
    send(this.#socket, parts(this.#header.readUInt16BE(2)), () => keep || this.#socket.end())
  }
}

const options = { allowHalfOpen: true, noDelay: true }
for (const where of [{ path: settings.unix }, { host: '127.0.0.1', port: Number(settings.port) }]) {
  createServer(options, (socket) => new Exchange(socket)).listen({ ...where, backlog: 4096 })
}
