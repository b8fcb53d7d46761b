/** Many callers over shared servers, all with the same ids and progress tokens: nothing of one may ever reach another. */
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Api, apiOf, tokenFor } from '../fixtures/api.ts'
import { type EchoServer, startEcho } from '../fixtures/echo-http.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { call, type Opened, open, send } from '../fixtures/http-call.ts'
import {
  type Era,
  eventsOf,
  inEra,
  type Message,
  messagesOf,
  openSession,
  textOf,
} from '../fixtures/mcp-call.ts'
import { ROOT } from '../fixtures/process.ts'

const users = 50
const callsOfEach = 200
/** Every user calls through each of these at once. */
const lanes = [
  { server: 'http', era: 'session' },
  { server: 'http', era: 'stateless' },
  { server: 'stdio', era: 'session' },
  { server: 'stdio', era: 'stateless' },
] as const
const atOnce = 3
const longestDelay = 40

let gateway: Gateway
let echo: EchoServer
let api: Api
let callers: { name: string; token: string }[]

const emailOf = (index: number) => `user${index}@example.com`

beforeAll(async () => {
  echo = await startEcho()
  const args = [`${ROOT}/test/fixtures/echo-stdio.ts`]
  const server = (name: string, transport: unknown) => ({ group: 'lab', name, transport })
  const manifest = {
    users: [
      { email: 'root@example.com', role: 'admin' },
      ...Array.from({ length: users }, (_, index) => ({ email: emailOf(index) })),
    ],
    groups: [{ name: 'lab', access: [{ subject: 'everyone' }] }],
    servers: [
      server('http', echo.transport),
      server('stdio', { kind: 'stdio', command: process.execPath, args }),
    ],
  }
  gateway = await startGateway({ user: 'root@example.com', manifest })
  api = apiOf(gateway.url, gateway.token)
  callers = await Promise.all(
    Array.from({ length: users }, async (_, index) => {
      const { token } = await tokenFor(api, `user:${emailOf(index)}`)
      return { name: `user${index}`, token }
    }),
  )
})

afterAll(async () => {
  await gateway?.stop()
  await echo?.stop()
})

const urlOf = (server: string) => `${gateway.url}/mcp/lab/${server}/server`

/** What one caller does in one lane. `session` is there in the session era. */
type Seat = {
  readonly name: string
  readonly token: string
  readonly url: string
  readonly era: Era
  readonly session: string | undefined
}

const tally = { answered: 0, stopped: 0, progress: 0, logs: 0, unasked: 0 }

/** Whatever comes to a caller must be of their own making; the secret says whose it is. */
function checkOwn(
  seat: Seat,
  { method, params = {} }: Message,
  own: { secret: string; progressToken: unknown },
) {
  if (method === 'notifications/progress') {
    expect(params).toMatchObject({ progressToken: own.progressToken, message: own.secret })
    tally.progress++
  } else {
    // A log line says nothing of the request it belongs to; it must at least be of this caller.
    expect(method).toBe('notifications/message')
    expect(String(params.data)).toMatch(new RegExp(`^${seat.name} `))
    tally.logs++
  }
}

async function callOnce(seat: Seat, id: number): Promise<void> {
  const { name, token, url, era, session } = seat
  const secret = `${name} ${era} ${id} ${Math.random()}`
  const progressToken = id % 2 === 0 ? id : `token ${id}`
  const params = {
    name: 'echo',
    arguments: { secret, delay: Math.random() < 0.2 ? 0 : Math.random() * longestDelay },
    _meta: { progressToken },
  }
  const asked = { ...inEra(era, { id, method: 'tools/call', params, session }), token }
  // Of fifty calls twenty-four: by chance it could be more than half.
  const isStopped = (id >> 1) % 2 === 1
  const under = send(url, asked)
  const got = Promise.allSettled([
    under.response.then(async response =>
      messagesOf({ headers: response.headers, text: await text(response) }),
    ),
  ])
  if (isStopped) {
    await sleep(Math.random() * longestDelay)
    const cancelled = { method: 'notifications/cancelled', params: { requestId: id } }
    if (era === 'session' && Math.random() < 0.7)
      await call(url, { ...inEra(era, { ...cancelled, session }), token })
    else under.abort()
  }
  const [outcome] = await got
  if (outcome.status === 'rejected') {
    if (!isStopped) throw outcome.reason
    return void tally.stopped++
  }
  const messages = outcome.value
  for (const message of messages.slice(0, -1)) checkOwn(seat, message, { secret, progressToken })
  const answer = messages.at(-1)
  expect(answer?.id).toBe(id)
  if (isStopped && answer?.error) {
    expect(answer.error).toMatchObject({ data: { code: 'mcp.cancelled' } })
    tally.stopped++
  } else {
    expect([url, answer?.error, answer && textOf(answer)]).toEqual([url, undefined, secret])
    tally.answered++
  }
}

/** Calls one after the other, a few at once; ids count from 0 like everybody's. */
async function sit(seat: Seat, calls: number): Promise<void> {
  let next = 0
  const work = async () => {
    while (next < calls) await callOnce(seat, next++)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

/** Opens the stream of what is said unasked. */
function follow({ url, token, session }: Seat): Promise<Opened> {
  const headers = { accept: 'text/event-stream', 'mcp-session-id': String(session) }
  return open(url, { token, headers })
}

it(`${users * callsOfEach} calls of ${users} users stay apart`, { timeout: 180_000 }, async () => {
  const seats = await Promise.all(
    callers.flatMap(({ name, token }) =>
      lanes.map(async ({ server, era }): Promise<Seat> => {
        const url = urlOf(server)
        const session = era === 'session' ? await openSession(url, token) : undefined
        return { name, token, url, era, session }
      }),
    ),
  )
  const inSessions = seats.filter(({ session }) => session !== undefined)
  const streams = await Promise.all(inSessions.map(async seat => ({ seat, stream: await follow(seat) })))
  // Unasked, the server speaks of the last call of each session.
  const telling = setInterval(() => echo.tell(secret => secret), 100)
  await Promise.all(seats.map(seat => sit(seat, callsOfEach / lanes.length)))
  clearInterval(telling)

  for (const { seat, stream } of streams) {
    const unasked = eventsOf(stream.text())
    tally.unasked += unasked.length
    for (const message of unasked) checkOwn(seat, message, { secret: '', progressToken: '' })
    stream.close()
  }
  expect(tally.answered + tally.stopped).toBe(users * callsOfEach)
  expect(tally.answered).toBeGreaterThan((users * callsOfEach) / 2)
  expect(tally.stopped).toBeGreaterThan((users * callsOfEach) / 8)
  expect(tally.progress).toBeGreaterThan((users * callsOfEach) / 2)
  expect(tally.unasked).toBeGreaterThan(users)
  expect(tally.logs).toBeGreaterThan((users * callsOfEach) / 4)
})

it('what a shared process still says of a call that is over reaches nobody else', async () => {
  const [one, other] = callers
  const url = urlOf('stdio')
  const session = await openSession(url, other?.token ?? '')
  const stream = await open(url, {
    token: other?.token,
    headers: { accept: 'text/event-stream', 'mcp-session-id': session },
  })
  const echoing = (args: Record<string, unknown>) => ({ name: 'echo', arguments: args })
  for (const era of ['session', 'stateless'] as const) {
    const own = era === 'session' ? await openSession(url, one?.token ?? '') : undefined
    // It is answered at once, and spoken of once more a little later: while the other has the process for themselves.
    const spoken = {
      id: 0,
      method: 'tools/call',
      params: echoing({ secret: 'of one', afterwards: 100 }),
      session: own,
    }
    await call(url, { ...inEra(era, spoken), token: one?.token })
    const mine = era === 'session' ? session : undefined
    const alone = {
      id: 0,
      method: 'tools/call',
      params: echoing({ secret: 'of other', delay: 300 }),
      session: mine,
    }
    const { text } = await call(url, { ...inEra(era, alone), token: other?.token })
    expect(text).toContain('of other')
    expect(text).not.toContain('of one')
  }
  expect(stream.text()).not.toContain('of one')
  stream.close()
})
