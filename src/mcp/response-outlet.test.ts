import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { open } from '../../test/fixtures/http-call.ts'
import { ResponseOutlet } from './response-outlet.ts'
import { unreadBytes } from './unread.ts'

let server: Server
let port: number
let arrived: (response: ServerResponse) => void

beforeEach(async () => {
  server = createServer((_, response) => arrived(response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  port = typeof address === 'object' ? (address?.port ?? 0) : 0
})

afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

function watched(response: ServerResponse) {
  const told: string[] = []
  const outlet = new ResponseOutlet(response)
  const say = (what: string) => () => void told.push(what)
  outlet.watch({ gone: say('gone'), full: say('full'), ready: say('ready'), stalled: say('stalled') })
  return { outlet, told }
}

async function reading() {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>()
  arrived = resolve
  const opened = open(`http://127.0.0.1:${port}/`)
  return { ...watched(await promise), opened }
}

describe('a response', () => {
  it('is JSON where there is only the answer, told by its length as a stream of one event is', async () => {
    const plain = await reading()
    plain.outlet.answer(Buffer.from('{}'), 404, ['x-more', 'yes'])
    const json = await plain.opened
    await json.ended
    expect([json.status, json.headers['content-length'], json.headers['x-more']]).toEqual([404, '2', 'yes'])

    const streamed = await reading()
    streamed.outlet.stream(Buffer.from('id: 1\ndata:\n\n'))
    streamed.outlet.answer(Buffer.from('{}'), 200, [], '2')
    const events = await streamed.opened
    await events.ended
    expect(events.text()).toBe('id: 1\ndata:\n\nevent: message\nid: 2\ndata: {}\n\n')
    expect(events.headers['content-length']).toBe(String(events.text().length))
  })

  it('shows that its stream is open before there is anything to say, and says nothing after the answer', async () => {
    const { outlet, opened } = await reading()
    outlet.stream(Buffer.from('id: 1\ndata:\n\n'))
    const got = await opened
    await vi.waitFor(() => expect(got.text()).toBe('id: 1\ndata:\n\n'))
    outlet.beat()
    outlet.answer(Buffer.from('{}'), 200)
    for (const text of ['late', 'later']) outlet.message(Buffer.from(text))
    outlet.beat()
    outlet.answer(Buffer.from('late'), 200)
    await got.ended
    expect(got.text()).toBe('id: 1\ndata:\n\n:\n\nevent: message\ndata: {}\n\n')
  })

  it('is cut where an answer in pieces cannot be completed', async () => {
    const { outlet, opened } = await reading()
    outlet.piece(Buffer.from('{"a":'))
    const got = await opened
    await vi.waitFor(() => expect(got.text()).toBe('{"a":'))
    outlet.answer(Buffer.from('{"error":{}}'), 500)
    await got.ended
    expect(got.text()).toBe('{"a":')
  })
})

describe('a client that does not read', () => {
  it('is given no more than so much, watched for half a minute, and told on', async () => {
    const { promise, resolve } = Promise.withResolvers<ServerResponse>()
    arrived = resolve
    const socket = connect(port, '127.0.0.1')
    socket.pause().write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    const response = await promise
    const timeouts = vi.spyOn(response, 'setTimeout')
    const { outlet, told } = watched(response)
    const message = Buffer.alloc(64 * 1024, 'x')
    let most = 0
    for (let i = 0; i < 1000 && !told.includes('stalled'); i++) {
      outlet.message(message)
      most = Math.max(most, response.writableLength)
      await new Promise(setImmediate)
    }
    expect(told.slice(-2)).toEqual(['full', 'stalled'])
    expect(most).toBeLessThanOrEqual(unreadBytes + 2 * message.length)
    expect(timeouts.mock.calls.at(-1)).toEqual([15_000])
    const before = response.writableLength
    outlet.beat()
    expect(response.writableLength).toBe(before)
    socket.resume()
    await vi.waitFor(() => expect(told.at(-1)).toBe('ready'))
    expect(timeouts.mock.calls.at(-1)).toEqual([0])
    socket.destroy()
    await vi.waitFor(() => expect(told.at(-1)).toBe('gone'))
  })
})
