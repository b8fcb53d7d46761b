/** What is taken away is gone soon, on every gateway of a database, also for what is open. How soon: src/follow-revision.test.ts. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, apiOf, type Token, tokenFor } from '../fixtures/api.ts'
import { type EchoServer, startEcho } from '../fixtures/echo-http.ts'
import { type Gateway, type Launched, launch, startGateway } from '../fixtures/gateway.ts'
import { call, type Opened, open } from '../fixtures/http-call.ts'
import { answerOf, type Era, eventsOf, inEra, openSession, textOf } from '../fixtures/mcp-call.ts'
import { type PostgresServer, startPostgres } from '../fixtures/postgres-server.ts'
import { freePort } from '../fixtures/process.ts'
import { eventually, PATIENCE_MS } from '../fixtures/watch.ts'

const users = ['token', 'person', 'grant', 'member', 'tool', 'refresher'].map(name => `${name}@example.com`)

let postgres: PostgresServer
let echo: EchoServer
let first: Gateway
let second: Launched
let folder: string
let api: Api

beforeAll(async () => {
  ;[postgres, echo] = await Promise.all([startPostgres(), startEcho()])
  const env = { GATEHOUSE_DATABASE_URL: await postgres.createDatabase() }
  const manifest = {
    users: [{ email: 'root@example.com', role: 'admin' }, ...users.map(email => ({ email }))],
    teams: [{ name: 'crew', members: ['member@example.com'] }],
    virtualAccounts: [{ name: 'robot', owner: 'user:root@example.com' }],
    groups: [
      {
        name: 'lab',
        access: [
          'user:token@example.com',
          'user:person@example.com',
          'team:crew',
          'account:robot',
          'user:refresher@example.com',
        ].map(subject => ({ subject })),
      },
    ],
    servers: [{ group: 'lab', name: 'echo', transport: echo.transport }],
  }
  first = await startGateway({ user: 'root@example.com', manifest, env })
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-second-'))
  const dataDir = join(folder, 'data')
  // Gateways of one database share its master key.
  cpSync(join(first.dataDir, 'keys'), join(dataDir, 'keys'), { recursive: true })
  second = launch({ dataDir, port: await freePort(), env })
  await second.ready()
  api = apiOf(first.url, first.token)
})

afterAll(async () => {
  await Promise.all([first?.stop(), second?.process.stop()])
  await Promise.all([echo?.stop(), postgres?.stop()])
  if (folder) rmSync(folder, { recursive: true, force: true })
})

/** What somebody has open at one gateway. */
type Place = {
  readonly name: string
  readonly url: string
  readonly session: string
  readonly streams: Opened[]
}

const at = (url: string) => `${url}/mcp/lab/echo/server`

/** Opens a session, its stream and a listen at both gateways. */
function settle(token: string): Promise<Place[]> {
  const gateways = [
    ['first', at(first.url)],
    ['second', at(second.url)],
  ] as const
  return Promise.all(
    gateways.map(async ([name, url]) => {
      const session = await openSession(url, token)
      const streams = await Promise.all([follow(url, { token, session }), listen(url, token)])
      return { name, url, session, streams }
    }),
  )
}

async function follow(url: string, { token, session }: { token: string; session: string }): Promise<Opened> {
  const stream = await open(url, {
    token,
    headers: { accept: 'text/event-stream', 'mcp-session-id': session },
  })
  expect(stream.status).toBe(200)
  return stream
}

async function listen(url: string, token: string): Promise<Opened> {
  const params = { notifications: { toolsListChanged: true } }
  const stream = await open(url, {
    ...inEra('stateless', { id: 1, method: 'subscriptions/listen', params }),
    token,
  })
  await soon('the listen is acknowledged', async () => eventsOf(stream.text()).length > 0)
  return stream
}

async function soon(what: string, isSo: () => Promise<boolean>): Promise<void> {
  await eventually(what, isSo, found => found)
}

async function outcomeOf(place: Place, era: Era, asked: { token: string; tool?: string }): Promise<string> {
  const { token, tool = 'echo' } = asked
  const params = { name: tool, arguments: { secret: 'done' } }
  const session = era === 'session' ? place.session : undefined
  const answered = await call(place.url, {
    ...inEra(era, { id: 1, method: 'tools/call', params, session }),
    token,
  })
  const answer = answerOf(answered)
  return `${answered.status} ${textOf(answer) ?? answer.error?.message}`
}

const eras = ['session', 'stateless'] as const

/** Every way to call, at both gateways, answers so. */
async function expectAll(
  places: Place[],
  asked: { token: string; tool?: string },
  outcome: string,
): Promise<void> {
  const looks = places.flatMap(place => eras.map(era => ({ place, era })))
  await Promise.all(
    looks.map(async ({ place, era }) => {
      let last = ''
      await soon(`${outcome} in the ${era} era at the ${place.name} gateway`, async () => {
        last = await outcomeOf(place, era, asked)
        return last === outcome
      }).catch(cause => {
        throw new Error(`it answers ${last}`, { cause })
      })
    }),
  )
}

function expectEnded(places: Place[]): Promise<unknown> {
  return Promise.all(
    places.flatMap(({ name, streams }) =>
      streams.map(async (stream, index) => {
        const late = sleep(PATIENCE_MS, undefined, { ref: false }).then(() => {
          throw new Error(
            `the ${index === 0 ? 'session stream' : 'listen'} at the ${name} gateway is still open`,
          )
        })
        await Promise.race([stream.ended, late])
      }),
    ),
  )
}

const gone = {
  token: '401 This token is not valid.',
  access: '404 There is no such group or server, or you have no access to it.',
}

async function grantOf(subject: string): Promise<string> {
  const { items } = await api<{ items: { id: string; subject: string }[] }>('GET /groups/lab/grants')
  return items.find(grant => grant.subject === subject)?.id ?? ''
}

describe('soon, at every gateway', () => {
  it.each<[string, string, (token: Token) => Promise<unknown>, string]>([
    ['a token is revoked', 'user:token@example.com', token => api(`DELETE /tokens/${token.id}`), gone.token],
    [
      'a user is disabled',
      'user:person@example.com',
      () => api('PATCH /users/person@example.com', { disabled: true }),
      gone.token,
    ],
    [
      'a virtual account is disabled',
      'account:robot',
      () => api('PATCH /accounts/robot', { disabled: true }),
      gone.token,
    ],
    [
      'somebody leaves a team',
      'user:member@example.com',
      () => api('DELETE /teams/crew/members/member@example.com'),
      gone.access,
    ],
    [
      'a grant is removed',
      'user:grant@example.com',
      async () => api(`DELETE /groups/lab/grants/${await grantOf('user:grant@example.com')}`),
      gone.access,
    ],
  ])('%s', async (_, subject, takeAway, outcome) => {
    const token = await tokenFor(api, subject)
    if (subject === 'user:grant@example.com') await api('POST /groups/lab/grants', { subject })
    const places = await settleWhenGranted(token.token)
    await expectAll(places, token, '200 done')
    await takeAway(token)
    await Promise.all([expectAll(places, token, outcome), expectEnded(places)])
  })

  it('a tool leaves a grant, and the others stay', async () => {
    const subject = 'user:tool@example.com'
    const token = await tokenFor(api, subject)
    const { id } = await api<{ id: string }>('POST /groups/lab/grants', { subject, tools: ['echo', 'write'] })
    const places = await settleWhenGranted(token.token)
    await expectAll(places, { ...token, tool: 'write' }, '200 done')
    await api('POST /groups/lab/grants', { subject, tools: ['echo'] })
    await api(`DELETE /groups/lab/grants/${id}`)
    await expectAll(places, { ...token, tool: 'write' }, '200 Unknown tool.')
    await expectAll(places, token, '200 done')
    for (const stream of places.flatMap(({ streams }) => streams)) stream.close()
  })
})

/** The second gateway may hear of a new grant a little later. */
async function settleWhenGranted(token: string): Promise<Place[]> {
  for (const { url } of [first, second]) {
    const ping = { ...inEra('stateless', { id: 1, method: 'tools/list' }), token }
    await soon('the grant is known', async () => (await call(at(url), ping)).status === 200)
  }
  return settle(token)
}

it('a session goes on with the next token of its owner; what the last one opened ends with it', async () => {
  const [old, fresh] = [
    await tokenFor(api, 'user:refresher@example.com'),
    await tokenFor(api, 'user:refresher@example.com'),
  ]
  const places = await settle(old.token)
  await expectAll(places, fresh, '200 done')
  await api(`DELETE /tokens/${old.id}`)
  await Promise.all([expectAll(places, old, gone.token), expectEnded(places)])
  await expectAll(places, fresh, '200 done')
  for (const { url, session } of places) {
    const stream = await follow(url, { token: fresh.token, session })
    await soon('what is said unasked arrives', async () => {
      echo.tell(() => 'still here')
      return stream.text().includes('still here')
    })
    stream.close()
  }
})
