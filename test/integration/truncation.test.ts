import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { stdout } from '../support/responder.ts'
import { fakedSite } from '../support/responder-site.ts'

/** How a raw connection ended, FIN or an error; `onText` is called with the first of the answer. */
function endOf(
  port: number,
  request: string,
  onText: () => void,
): Promise<{ readonly text: string; readonly end: string }> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    let text = ''
    socket.setEncoding('latin1').on('data', (more) => {
      text += more
      onText()
    })
    socket.once('end', () => resolve({ text, end: 'FIN' }))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve({ text, end: error.code ?? '' }))
  })
}

/** Half an answer; the connection closes when the client has seen it. */
async function halfAnswer(request: string): Promise<{ readonly text: string; readonly end: string }> {
  let seen = (): void => undefined
  const half = new Promise<void>((resolve) => {
    seen = resolve
  })
  await using site = await fakedSite(async (fcgi) => {
    await fcgi.send(stdout('Content-Type: text/plain\r\n\r\nhalf'))
    await half
    fcgi.connection.close()
  })
  return await endOf(site.port, request, seen)
}

describe('An answer that the backend does not finish', () => {
  it('ends with a reset for HTTP/1.0, where the end of the connection would be the end of the answer', async () => {
    const { text, end } = await halfAnswer('GET / HTTP/1.0\r\n\r\n')
    assert.match(text, /half$/)
    assert.equal(end, 'ECONNRESET')
  })

  it('ends without the last chunk for HTTP/1.1', async () => {
    const { text } = await halfAnswer('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    assert.match(text, /\r\n4\r\nhalf\r\n$/)
  })
})
