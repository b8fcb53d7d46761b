import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  answer,
  type Line,
  type ScriptedSocket,
  startSocket,
} from '../../../test/fixtures/scripted-socket.ts'
import { selfSigned } from '../../../test/fixtures/self-signed.ts'
import type { GatewayError } from '../../foundation/errors.ts'
import { type Deadlines, openDeadlines } from './deadlines.ts'
import { openWire, type Wire, type WireFlight } from './wire.ts'

let server: ScriptedSocket
let wire: Wire
let deadlines: Deadlines

async function begin(
  talk: (line: Line) => void,
  more: {
    connections?: number
    connectSeconds?: number
    secure?: Parameters<typeof startSocket>[1]
    url?: string
  } = {},
): Promise<void> {
  server = await startSocket(talk, more.secure)
  deadlines = openDeadlines()
  const url = more.url ?? `${more.secure ? 'https' : 'http'}://127.0.0.1:${server.port}/mcp?a=1`
  const limits = { connections: more.connections ?? 4, connectSeconds: more.connectSeconds ?? 2 }
  const transport = { kind: 'streamable-http', url, allowPrivateNetwork: true } as const
  wire = openWire(transport, limits, deadlines)
}

afterEach(async () => {
  await wire?.close()
  deadlines?.close()
  await server?.stop()
})

type Outcome = { status: number; text: string; ended: boolean; error?: GatewayError; sent?: boolean }

function ask(
  more: {
    total?: number
    body?: string
    headers?: string[]
    head?: (flight: WireFlight) => void
    chunk?: (flight: WireFlight) => void
  } = {},
) {
  const outcome: Outcome = { status: 0, text: '', ended: false }
  const { promise: done, resolve } = Promise.withResolvers<Outcome>()
  const flight = wire.send(
    {
      method: 'POST',
      headers: more.headers ?? ['x-a', 'b'],
      body: Buffer.from(more.body ?? '{}'),
      total: more.total ?? 5000,
    },
    {
      head(status) {
        outcome.status = status
        more.head?.(flight)
      },
      chunk(bytes) {
        outcome.text += bytes.toString()
        more.chunk?.(flight)
      },
      end() {
        outcome.ended = true
        resolve(outcome)
      },
      broken(error, sent) {
        Object.assign(outcome, { error, sent })
        resolve(outcome)
      },
    },
  )
  return { flight, outcome, done }
}

const polite = (line: Line) => void line.socket.write(answer(`answer ${line.heads().length}`))
const silent = () => {}

describe('connections', () => {
  it('are used again, with one request after the other', async () => {
    await begin(polite)
    for (const expected of ['answer 1', 'answer 2', 'answer 3'])
      expect(await ask().done).toMatchObject({ status: 200, text: expected, ended: true })
    expect(server.lines).toHaveLength(1)
    expect(server.lines[0]?.text()).toMatch(
      /^POST \/mcp\?a=1 HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\nx-a: b\r\ncontent-length: 2\r\n\r\n\{\}POST /,
    )
  })

  it.each([
    ['that say so', (line: Line) => line.socket.write(answer('x', ['connection: close']))],
    ['that say nothing of their length', (line: Line) => line.socket.end('HTTP/1.1 200 OK\r\n\r\nx')],
    ['that name no time to stay', (line: Line) => line.socket.write(answer('x', ['keep-alive: timeout=1']))],
    ['that say more than was asked', (line: Line) => line.socket.write(`${answer('x')}HTTP/1.1 200`)],
    [
      'whose last chunk is followed by more',
      (line: Line) =>
        line.socket.write(
          `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n${answer('of another')}`,
        ),
    ],
    [
      'whose empty answer is followed by more',
      (line: Line) =>
        line.socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n${answer('of another')}`),
    ],
  ])('%s are not used again', async (_, talk) => {
    await begin(talk, { connections: 1 })
    const [first, second] = await Promise.all([ask().done, ask().done])
    expect([first.ended, second.ended]).toEqual([true, true])
    expect(`${first.text}${second.text}`).not.toContain('another')
    expect(server.lines).toHaveLength(2)
  })

  it('that were closed while they were idle are not used again', async () => {
    await begin(polite)
    await ask().done
    const socket = server.lines[0]?.socket.end()
    await vi.waitFor(() => expect(socket?.destroyed).toBe(true))
    expect(await ask().done).toMatchObject({ text: 'answer 1', ended: true })
    expect(server.lines).toHaveLength(2)
  })

  it('that break in the middle leave the outcome unknown', async () => {
    await begin(line => void line.socket.destroy())
    expect(await ask().done).toMatchObject({ sent: true, error: { code: 'upstream.outcome_unknown' } })
  })

  it('are destroyed with a request that is aborted, so that its late answer is nobody’s', async () => {
    await begin(silent, { connections: 1 })
    const first = ask()
    await vi.waitFor(() => expect(server.lines[0]?.heads()).toHaveLength(1))
    const second = ask()
    first.flight.abort()
    await vi.waitFor(() => expect(server.lines[1]?.heads()).toHaveLength(1))
    server.lines[0]?.socket.write(answer('late'))
    server.lines[1]?.socket.write(answer('mine'))
    expect(await second.done).toMatchObject({ text: 'mine' })
    expect(first.outcome).toEqual({ status: 0, text: '', ended: false })
  })

  it('are no more than so many; others wait, and those who give up are passed over', async () => {
    await begin(silent, { connections: 2 })
    const asked = Array.from({ length: 5 }, (_, at) => ask({ body: `"${at}"` }))
    const heads = () => server.lines.flatMap(line => line.heads())
    await vi.waitFor(() => expect(heads()).toHaveLength(2))
    asked[2]?.flight.abort()
    for (const { socket } of server.lines) socket.write(answer('ok'))
    await vi.waitFor(() => expect(heads()).toHaveLength(4))
    for (const { socket } of server.lines) socket.write(answer('ok'))
    const outcomes = await Promise.all(asked.filter((_, at) => at !== 2).map(({ done }) => done))
    expect(outcomes.map(({ text }) => text)).toEqual(['ok', 'ok', 'ok', 'ok'])
    expect(server.lines.map(({ text }) => text()).join('')).not.toContain('"2"')
    expect(server.lines).toHaveLength(2)
  })

  it('that may last for ever take no place from the others', async () => {
    const talk = (line: Line) =>
      void line.socket.write(line.text().includes('lasting') ? 'HTTP/1.1 200 OK\r\n\r\ndata' : answer('ok'))
    await begin(talk, { connections: 1 })
    const lasting = Array.from({ length: 3 }, () =>
      ask({ body: '"lasting"', head: flight => flight.extend(0) }),
    )
    for (const { outcome } of lasting) await vi.waitFor(() => expect(outcome.text).toBe('data'))
    expect(await ask().done).toMatchObject({ text: 'ok' })
    for (const { flight } of lasting) flight.abort()
    await vi.waitFor(() => expect(server.lines.filter(({ socket }) => !socket.destroyed)).toHaveLength(1))
  })

  it('that somebody paused and left are read by who comes next, whom nobody else can pause', async () => {
    await begin(polite, { connections: 1 })
    const first = ask({ chunk: flight => flight.pause() })
    expect(await first.done).toMatchObject({ text: 'answer 1' })
    const second = ask()
    first.flight.pause()
    expect(await second.done).toMatchObject({ text: 'answer 2' })
    expect(server.lines).toHaveLength(1)
  })
})

describe('a request', () => {
  it('that gets no answer in time is ended', async () => {
    await begin(silent)
    expect(await ask({ total: 1000 }).done).toMatchObject({ error: { code: 'upstream.timeout' } })
    await vi.waitFor(() => expect(server.lines[0]?.socket.destroyed).toBe(true))
  })

  it('never has a line break in its head', async () => {
    await begin(polite)
    for (const value of ['a\r\nx: y', 'a\nb', 'a\rb', 'a\0', 'é\u2028'])
      expect(() => ask({ headers: ['x-a', value] })).toThrow()
    expect(server.lines).toEqual([])
  })

  it('to nobody says so, to each who waits', async () => {
    await begin(silent)
    const { port } = server
    await server.stop()
    await begin(silent, { url: `http://127.0.0.1:${port}/`, connections: 2 })
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => ask().done))
    for (const { error, sent } of outcomes) {
      expect(error).toMatchObject({ code: 'upstream.unreachable', why: 'Nothing listens at its address.' })
      expect(sent).toBe(false)
    }
  })

  it('to an address that may not be reached says so at once', async () => {
    await begin(silent)
    const transport = {
      kind: 'streamable-http',
      url: 'http://10.1.2.3/',
      allowPrivateNetwork: false,
    } as const
    const refusing = openWire(transport, { connections: 2, connectSeconds: 1 }, deadlines)
    const { promise, resolve } = Promise.withResolvers<GatewayError>()
    const events = { head: silent, chunk: silent, end: silent, broken: resolve }
    refusing.send({ method: 'GET', headers: [], body: null, total: 5000 }, events)
    expect(await promise).toMatchObject({ code: 'upstream.address_refused' })
    await refusing.close()
  })

  it('on a wire that was closed is refused, not forgotten', async () => {
    await begin(silent)
    const under = ask()
    await vi.waitFor(() => expect(server.lines).toHaveLength(1))
    await wire.close()
    expect((await under.done).error?.code).toBe('upstream.outcome_unknown')
    expect(await ask().done).toMatchObject({ sent: false, error: { code: 'upstream.unreachable' } })
  })
})

describe('TLS', () => {
  it('with a certificate nobody vouches for is refused in plain words, before a byte is sent', async () => {
    await begin(polite, { secure: selfSigned('127.0.0.1') })
    const { error, sent } = await ask().done
    expect(error).toMatchObject({ code: 'upstream.unreachable', why: 'Its TLS certificate is self-signed.' })
    expect(sent).toBe(false)
    expect(server.lines.every(({ text }) => text() === '')).toBe(true)
  })

  it('where there is none is refused too', async () => {
    await begin(line => void line.socket.end('what?'))
    const url = `https://127.0.0.1:${server.port}/`
    await wire.close()
    wire = openWire(
      { kind: 'streamable-http', url, allowPrivateNetwork: true },
      { connections: 1, connectSeconds: 2 },
      deadlines,
    )
    expect((await ask().done).error).toMatchObject({
      code: 'upstream.unreachable',
      why: expect.stringContaining('TLS'),
    })
  })
})
