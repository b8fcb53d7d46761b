/** HTTP+SSE with credentials that end: the stream, and everything posted, is sent once more with what took their place. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterEach, expect, it } from 'vitest'
import { GatewayError } from '../../foundation/errors.ts'
import { openDeadlines } from './deadlines.ts'
import { openSseSession } from './sse.ts'
import { openWire } from './wire.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

/** A server that takes one token, and says what it was sent. */
async function startServer() {
  const there = { takes: 'two', refused: [] as string[], methods: [] as string[], url: '' }
  let stream: ServerResponse | undefined
  const server = createServer(async (request, response) => {
    const token = request.headers.authorization?.slice('Bearer '.length) ?? ''
    if (token !== there.takes) {
      there.refused.push(`${request.method} ${token}`)
      return void response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
    }
    if (request.method === 'GET') {
      stream = response.writeHead(200, { 'content-type': 'text/event-stream' })
      return void response.write('event: endpoint\ndata: /messages\n\n')
    }
    const { id, method } = (await json(request)) as { id?: number; method: string }
    there.methods.push(method)
    response.writeHead(202).end()
    if (id !== undefined)
      stream?.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result: {} })}\n\n`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  there.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/sse`
  ends.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return there
}

async function open(url: string, tokens: string[]) {
  const deadlines = openDeadlines()
  const wire = openWire(
    { kind: 'sse', url, allowPrivateNetwork: true },
    { connections: 8, connectSeconds: 2 },
    deadlines,
  )
  ends.push(() => wire.close(), deadlines.close)
  const told: unknown[] = []
  const to = {
    headers: ['authorization', `Bearer ${tokens.shift()}`],
    async renew(refusal: unknown) {
      told.push(refusal)
      const next = tokens.shift()
      if (next === undefined) throw new GatewayError('vault.connect_needed')
      to.headers = ['authorization', `Bearer ${next}`]
    },
  }
  const limits = { messageBytes: 10_000, resultBytes: 10_000, callSeconds: 5, callSecondsMax: 5 }
  const parts = { wire, url, to, limits, deadlines, lost: () => {}, listChanged: () => {} }
  const body = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}')
  const session = openSseSession(parts, body, 1, '1')
  return { session, told }
}

it('is opened, and written to, with what took the place of the refused', async () => {
  const there = await startServer()
  const { session, told } = await open(there.url, ['one', 'two', 'three'])
  const link = await session
  expect(told).toEqual([
    { status: 401, challenge: 'Bearer error="invalid_token"', sent: ['authorization', 'Bearer one'] },
  ])
  there.takes = 'three'
  await link.notify('notifications/initialized', Buffer.from('{"jsonrpc":"2.0","method":"a"}'))
  expect(there.methods).toEqual(['initialize', 'a'])
  expect(there.refused).toEqual(['GET one', 'POST two'])
  await link.close()
})

it('says what is to be done where nothing takes its place, and asks no more than twice', async () => {
  const there = await startServer()
  const none = await open(there.url, ['one'])
  await expect(none.session).rejects.toMatchObject({ code: 'vault.connect_needed' })
  const wrong = await open(there.url, ['one', 'other', 'two'])
  await expect(wrong.session).rejects.toMatchObject({ code: 'upstream.unauthorized' })
  expect(there.refused).toEqual(['GET one', 'GET one', 'GET other'])
})
