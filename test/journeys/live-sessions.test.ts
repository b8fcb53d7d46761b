/** Sessions outlive the process they were opened in: a restart, another gateway of the same database. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EchoServer, startEcho } from '../fixtures/echo-http.ts'
import { type Gateway, type Launched, launch, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { type Answered, call, type Opened, open } from '../fixtures/http-call.ts'
import { answerOf, eventsOf, inEra, openSession, textOf } from '../fixtures/mcp-call.ts'
import { type PostgresServer, startPostgres } from '../fixtures/postgres-server.ts'
import { freePort } from '../fixtures/process.ts'
import { connect, textOf as textOfResult } from '../fixtures/sdk-client.ts'

let echo: EchoServer
const at = (url: string) => `${url}/mcp/lab/echo/server`
const echoing = (session: string, id: number, delay = 0) =>
  inEra('session', {
    id,
    method: 'tools/call',
    params: { name: 'echo', arguments: { secret: `said ${id}`, delay } },
    session,
  })

type Place = { readonly url: string; readonly token: string; readonly session: string }

const say = ({ url, token, session }: Place, id: number): Promise<Answered> =>
  call(at(url), { ...echoing(session, id), token })

const follow = ({ url, token, session }: Place, lastEventId?: string): Promise<Opened> =>
  open(at(url), {
    token,
    headers: {
      accept: 'text/event-stream',
      'mcp-session-id': session,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
  })

const lastId = (text: string) => [...text.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? ''

beforeAll(async () => {
  echo = await startEcho()
})

afterAll(() => echo?.stop())

describe('a gateway that is restarted under a live session', () => {
  let first: Gateway
  let again: Launched

  beforeAll(async () => {
    first = await startGateway({ manifest: oneGroup('lab', { echo: echo.transport }) })
  })

  afterAll(async () => {
    await again?.process.stop()
    await first?.stop()
  })

  it('is not noticed by its clients, of which some had something under way', async () => {
    const { url, token } = first
    const place = { url, token, session: await openSession(at(url), token) }
    const other = { ...place, session: await openSession(at(url), token) }
    const client = await connect({ url: at(url), token, mode: 'legacy' })
    expect(textOf(answerOf(await say(place, 1)))).toBe('said 1')
    await call(at(url), { token, method: 'DELETE', headers: { 'mcp-session-id': other.session } })
    const stream = await follow(place)
    const slow = await open(at(url), { ...echoing(place.session, 2, 60_000), token })
    await expect.poll(() => lastId(stream.text()) !== '' && lastId(slow.text()) !== '').toBe(true)

    // Killed, so that nobody is told anything.
    process.kill(first.process.pid, 'SIGKILL')
    await Promise.all([first.process.ended, stream.ended, slow.ended])
    again = launch({ dataDir: first.dataDir, port: Number(new URL(url).port) })
    await again.ready()

    expect(textOf(answerOf(await say(place, 3)))).toBe('said 3')
    const resumed = await follow(place, lastId(stream.text()))
    const lost = await follow(place, lastId(slow.text()))
    await lost.ended
    expect(eventsOf(lost.text())).toMatchObject([{ id: 2, error: { data: { code: 'mcp.answer_gone' } } }])
    await expect
      .poll(() => {
        echo.tell(() => 'still here')
        return resumed.text()
      })
      .toContain('still here')
    const result = await client.callTool({ name: 'echo', arguments: { secret: 'by the SDK' } })
    expect(textOfResult(result)).toBe('by the SDK')
    await client.close()
    resumed.close()
  })
})

describe('two gateways of one database', () => {
  let postgres: PostgresServer
  let first: Gateway
  let second: Launched
  let folder: string

  beforeAll(async () => {
    postgres = await startPostgres()
    const env = { GATEHOUSE_DATABASE_URL: await postgres.createDatabase() }
    first = await startGateway({ manifest: oneGroup('lab', { echo: echo.transport }), env })
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-second-'))
    const dataDir = join(folder, 'data')
    // Gateways of one database share its master key.
    cpSync(join(first.dataDir, 'keys'), join(dataDir, 'keys'), { recursive: true })
    second = launch({ dataDir, port: await freePort(), env })
    await second.ready()
  })

  afterAll(async () => {
    await Promise.all([first?.stop(), second?.process.stop()])
    await postgres?.stop()
    if (folder) rmSync(folder, { recursive: true, force: true })
  })

  it('serve one session by turns, as a load balancer would have it', async () => {
    const { token } = first
    const session = await openSession(at(first.url), token)
    for (let id = 1; id <= 6; id++) {
      const { url } = id % 2 === 0 ? first : second
      const answered = await say({ url, token, session }, id)
      expect([answered.status, textOf(answerOf(answered))]).toEqual([200, `said ${id}`])
    }
    expect(echo.seen.filter(({ method }) => method === 'initialize').length).toBeGreaterThanOrEqual(2)
  })
})
