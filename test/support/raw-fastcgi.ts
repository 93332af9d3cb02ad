import { connect } from 'node:net'
import { socketOptions } from './backend.ts'

/** A FastCGI exchange in the plainest code there is: the second opinion of the tests, it shares nothing with lib. */
export interface RawRequest {
  readonly address: string
  readonly params: Readonly<Record<string, string>>
  readonly stdin?: Buffer
}

/** What came back until END_REQUEST or the end of the connection. */
export interface RawAnswer {
  readonly stdout: Buffer
  readonly stderr: Buffer
  /** Null when the connection ended without END_REQUEST. */
  readonly appStatus: number | null
  readonly protocolStatus: number | null
}

const BEGIN_REQUEST = 1
const END_REQUEST = 3
const PARAMS = 4
const STDIN = 5
const STDOUT = 6
const STDERR = 7

/** One record of FastCGI specification section 3.3, without padding. */
export function rawRecord(type: number, content: Buffer, requestId = 1): Buffer {
  const header = Buffer.from([
    1,
    type,
    requestId >> 8,
    requestId & 255,
    content.length >> 8,
    content.length & 255,
    0,
    0,
  ])
  return Buffer.concat([header, content])
}

/** Name-value pairs of FastCGI specification section 3.4, all with lengths of four bytes. */
export function rawPairs(params: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(params).flatMap(([name, value]) => {
      const lengths = Buffer.alloc(8)
      lengths.writeUInt32BE((0x80000000 | Buffer.byteLength(name)) >>> 0, 0)
      lengths.writeUInt32BE((0x80000000 | Buffer.byteLength(value)) >>> 0, 4)
      return [lengths, Buffer.from(name), Buffer.from(value)]
    }),
  )
}

function stream(type: number, bytes: Buffer): Buffer {
  const records: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 65_535) records.push(rawRecord(type, bytes.subarray(at, at + 65_535)))
  return Buffer.concat([...records, rawRecord(type, Buffer.alloc(0))])
}

function decode(bytes: Buffer): RawAnswer {
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  let appStatus: number | null = null
  let protocolStatus: number | null = null
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 4)
    const content = bytes.subarray(at + 8, at + 8 + length)
    const type = bytes[at + 1]
    if (type === STDOUT) stdout.push(content)
    if (type === STDERR) stderr.push(content)
    if (type === END_REQUEST) {
      appStatus = content.readUInt32BE(0)
      protocolStatus = content.readUInt8(4)
    }
    at += 8 + length + bytes.readUInt8(at + 6)
  }
  return { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr), appStatus, protocolStatus }
}

/** Sends these bytes and reads until the other end closes. */
export function rawExchange(address: string, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketOptions(address))
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.once('error', reject)
    socket.once('end', () => resolve(Buffer.concat(chunks)))
    socket.once('connect', () => socket.write(bytes))
  })
}

/** One request as a Responder, on a connection that the application closes. */
export async function rawFastCgi(request: RawRequest): Promise<RawAnswer> {
  const stdin = request.stdin ?? Buffer.alloc(0)
  const params = { ...(stdin.length > 0 && { CONTENT_LENGTH: String(stdin.length) }), ...request.params }
  const bytes = Buffer.concat([
    rawRecord(BEGIN_REQUEST, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])),
    stream(PARAMS, rawPairs(params)),
    stream(STDIN, stdin),
  ])
  return decode(await rawExchange(request.address, bytes))
}

/** One GET of a script by its file name; the CGI answer as text. */
export async function rawGet(address: string, scriptFilename: string, query = ''): Promise<string> {
  const { stdout } = await rawFastCgi({
    address,
    params: {
      GATEWAY_INTERFACE: 'CGI/1.1',
      REQUEST_METHOD: 'GET',
      REQUEST_URI: scriptFilename,
      SCRIPT_NAME: scriptFilename,
      SCRIPT_FILENAME: scriptFilename,
      QUERY_STRING: query,
      SERVER_PROTOCOL: 'HTTP/1.1',
      REDIRECT_STATUS: '200',
    },
  })
  return stdout.toString('utf8')
}
