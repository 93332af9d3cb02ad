import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { eventually } from '../support/eventually.ts'
import { phpRoot } from '../support/gateway.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { open } from '../support/http-client.ts'
import { type PhpFpm, startPhpFpm } from '../support/php-fpm.ts'
import { type PrivateDirectory, privateDirectory } from '../support/private-directory.ts'
import { backend } from '../support/require-backend.ts'

const MEGABYTE = 1024 * 1024

/** The number in a file that grows, once it has stopped growing. */
async function settled(file: string): Promise<number> {
  let last = -1
  for (let same = 0; same < 10; ) {
    await wait(50)
    let now = 0
    try {
      now = Number(readFileSync(file, 'utf8'))
    } catch {
      // Not written yet.
    }
    same = now === last && now > 0 ? same + 1 : 0
    last = now
  }
  return last
}

backend('php-fpm').describe('the memory of a gateway in front of php-fpm', () => {
  let fpm: PhpFpm
  let gateway: GatewayProcess
  let place: PrivateDirectory

  before(async () => {
    place = privateDirectory('memory')
    fpm = await startPhpFpm()
    gateway = await startGatewayProcess({ root: phpRoot, server: fpm.address, logger: false })
  })
  after(async () => {
    await gateway?.stop()
    await fpm?.stop()
    place?.remove()
  })

  async function download(bytes: number): Promise<void> {
    let length = 0
    for await (const piece of await open(`${gateway.url}/download.php?bytes=${bytes}`))
      length += (piece as Buffer).length
    assert.equal(length, bytes)
  }

  it('stays flat while downloads of 50 MB stream through', async () => {
    await download(50 * MEGABYTE)
    const before = await gateway.memory()
    for (let turn = 0; turn < 4; turn++) await download(50 * MEGABYTE)
    const after = await gateway.memory()
    // 200 MB went through; what was held at once must be less than one download.
    assert.ok(after.peak - before.peak < 40 * MEGABYTE, `the peak grew by ${after.peak - before.peak} bytes`)
  })

  it('holds the script back while the client does not read', async () => {
    const progress = join(place.path, 'progress')
    const before = await gateway.memory()
    const socket = connect(gateway.port, '127.0.0.1')
    socket.pause()
    socket.write(`GET /download.php?bytes=${400 * MEGABYTE}&progress=${progress} HTTP/1.1\r\nHost: a\r\n\r\n`)
    const written = await settled(progress)
    const after = await gateway.memory()
    assert.ok(written < 50 * MEGABYTE, `the script got rid of ${written} bytes that nobody had read`)
    assert.ok(after.peak - before.peak < 40 * MEGABYTE, `the peak grew by ${after.peak - before.peak} bytes`)
    socket.destroy()
    await eventually('the child is free again', async () => (await fpm.status()).activeProcesses === 0)
  })

  it('holds the client back while the script does not read', async () => {
    const gate = join(place.path, 'upload-gate')
    const bytes = 300 * MEGABYTE
    const before = await gateway.memory()
    const socket = connect(gateway.port, '127.0.0.1')
    socket.on('error', () => undefined)
    let answer = ''
    socket.on('data', (piece) => {
      answer += String(piece)
    })
    await once(socket, 'connect')
    socket.write(
      `POST /hold.php?gate=${gate} HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\nContent-Type: application/octet-stream\r\n\r\n`,
    )
    const piece = Buffer.alloc(MEGABYTE, 'u')
    let sent = 0
    while (sent < bytes) {
      sent += piece.length
      if (socket.write(piece)) continue
      if ((await Promise.race([once(socket, 'drain').then(() => 'drained'), wait(2000, 'stuck')])) === 'stuck') break
    }
    const after = await gateway.memory()
    assert.ok(sent < 100 * MEGABYTE, `the gateway took ${sent} bytes that the script had not read`)
    assert.ok(after.peak - before.peak < 40 * MEGABYTE, `the peak grew by ${after.peak - before.peak} bytes`)
    writeFileSync(gate, '')
    await eventually('the script has answered without the body', () => answer.includes('held\n'))
    socket.destroy()
    await eventually('the child is free again', async () => (await fpm.status()).activeProcesses === 0)
  })
})
