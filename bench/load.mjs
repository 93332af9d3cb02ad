// The twin of bench/load.c, for machines without a compiler: the same arguments, the same line of JSON. Being Node itself it uses
// more of its core, so that a fast gateway may have to wait for it; CPU per request stays comparable.
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'

/** proc(5): clock ticks a second, 100 on every Linux that Node runs on. */
const MICROSECONDS_PER_TICK = 10_000

/** Nothing in a bench may take longer, in milliseconds. */
const DEADLINE = 300_000
const WARM_DEADLINE = 15_000

const {
  address,
  request: file,
  pids = '',
  ...numbers
} = Object.fromEntries(process.argv.slice(2).map((argument) => argument.split(/=(.*)/s)))
const number = (name) => Number(numbers[name] ?? 0)
const [connections, once, upload, pause] = ['connections', 'once', 'upload', 'pause'].map(number)
const [warm, warmRequests, measure] = ['warm', 'warmRequests', 'measure'].map(number)
const [host, port] = address.split(':')
const request = readFileSync(file)
const filler = Buffer.alloc(1 << 18, 'x')

let requests = 0
/** Clients that have had no answer yet. */
let unanswered = connections
let errors = 0
let received = 0
let latencies = []
let running = true
let paused = false

/** Microseconds of CPU of a process, all its threads; 0 where there is no /proc. */
function cpuOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK
  } catch {
    return 0
  }
}

function allCpu() {
  return pids.split(',').filter(Boolean).map(cpuOf)
}

function sendUpload(socket) {
  let left = upload
  const go = () => {
    while (left > 0) {
      const part = left < filler.length ? filler.subarray(0, left) : filler
      left -= part.length
      if (!socket.write(part)) return socket.once('drain', go)
    }
  }
  go()
}

/** One connection: sends, reads to the end of the answer, again. */
class Client {
  #socket
  #start = 0
  #head = ''
  #remaining = -1
  #chunked = false
  #bad = false
  #answered = false
  #tail = ''

  constructor() {
    this.#open()
  }

  #open() {
    const socket = connect({ host, port: Number(port), noDelay: true })
    this.#socket = socket
    socket.on('data', (bytes) => this.#receive(bytes))
    socket.on('error', () => {
      errors += 1
    })
    socket.on('close', () => {
      if (this.#head !== '') errors += 1
      if (once) stop()
      else if (running) this.#open()
    })
    this.#begin()
  }

  #begin() {
    this.#head = ''
    this.#tail = ''
    this.#remaining = -1
    this.#start = performance.now()
    this.#socket.write(request)
    if (upload > 0) sendUpload(this.#socket)
  }

  #receive(bytes) {
    if (this.#remaining !== -1 || this.#chunked) return this.#body(bytes)
    this.#head += bytes.latin1Slice()
    const end = this.#head.indexOf('\r\n\r\n')
    if (end === -1) return
    const extra = Buffer.from(this.#head.slice(end + 4), 'latin1')
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#head.slice(0, end))
    this.#bad = !this.#head.startsWith('HTTP/1.1 200')
    this.#chunked = length === null
    this.#remaining = length === null ? -1 : Number(length[1])
    this.#body(extra)
  }

  #body(bytes) {
    received += bytes.length
    if (pause > 0 && !paused && bytes.length > 0) this.#pause()
    if (this.#chunked) {
      this.#tail = (this.#tail + bytes.latin1Slice(Math.max(0, bytes.length - 5))).slice(-5)
      if (this.#tail !== '0\r\n\r\n') return
    } else {
      this.#remaining -= bytes.length
      if (this.#remaining > 0) return
    }
    this.#finish()
  }

  #pause() {
    paused = true
    this.#socket.pause()
    setTimeout(() => this.#socket.resume(), pause)
  }

  #finish() {
    requests += 1
    if (this.#bad) errors += 1
    if (!this.#answered) unanswered -= 1
    this.#answered = true
    latencies.push((performance.now() - this.#start) * 1000)
    this.#chunked = false
    this.#head = ''
    if (once) stop()
    else if (running) this.#begin()
  }
}

let from = 0
let before = []

function start() {
  before = allCpu()
  requests = errors = received = 0
  latencies = []
  from = performance.now()
}

function stop() {
  if (!running) return
  running = false
  const seconds = (performance.now() - from) / 1000
  const cpu = allCpu().map((value, index) => value - (before[index] ?? 0))
  const sorted = Float64Array.from(latencies).sort()
  const at = (share) => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0)
  console.log(JSON.stringify({ requests, errors, seconds, bytes: received, p50: at(0.5), p99: at(0.99), cpu }))
  process.exit()
}

/** Warms the gateway up, then measures. */
function startWarm() {
  const began = performance.now()
  const timer = setInterval(() => {
    const elapsed = performance.now() - began
    const isWarm = elapsed >= warm && requests >= warmRequests && unanswered === 0
    if (!isWarm && elapsed < WARM_DEADLINE) return
    clearInterval(timer)
    start()
    setTimeout(stop, measure)
  }, 10)
}

if (once) start()
else startWarm()
setTimeout(() => {
  errors += 1
  stop()
}, DEADLINE).unref()
for (let index = 0; index < connections; index += 1) new Client()
