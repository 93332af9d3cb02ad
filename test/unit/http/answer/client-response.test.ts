import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import { connect, createServer as createHttp2Server, type Http2ServerResponse } from 'node:http2'
import { test } from 'node:test'
import { isStreamResponse } from '../../../../lib/http/answer/client-response.ts'
import { ask } from '../../../support/http-client.ts'
import { listen } from '../../../support/listen.ts'

test('a response of HTTP/2 is told from one of HTTP/1, open and closed', async () => {
  const told: unknown[] = []
  const look = (res: ServerResponse | Http2ServerResponse): void => {
    told.push(isStreamResponse(res as never))
    res.on('close', () => told.push(isStreamResponse(res as never)))
    res.end()
  }
  {
    await using listening = await listen(createServer((_req, res) => look(res)))
    await ask(`http://127.0.0.1:${listening.port}/`)
  }
  assert.deepEqual(told, [false, false])
  {
    await using listening = await listen(createHttp2Server((_req, res) => look(res)) as never)
    const session = connect(`http://127.0.0.1:${listening.port}`)
    await new Promise((resolve) => session.request().resume().on('close', resolve))
    session.destroy()
  }
  assert.deepEqual(told, [false, false, true, true])
})
