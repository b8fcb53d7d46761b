/** Sends everything the address of a server takes, the whole table of methods, as everybody who must not get through. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { clientNotifications, type MethodRow, methods } from '../../src/mcp/index.ts'
import { addressOf, badTokens, comparable, type House, openHouse } from '../fixtures/house.ts'
import { type Asked, call } from '../fixtures/http-call.ts'
import { answerOf, type Era, hello, inEra, openSession } from '../fixtures/mcp-call.ts'

let house: House
let session: string

beforeAll(async () => {
  house = await openHouse()
  session = await openSession(at('lab/echo'), house.token('owner'))
})

afterAll(() => house?.stop())

type Step = { readonly name: string; readonly era: Era; asked(session?: string): Asked }

const uri = 'echo://one'
const parameters: Record<NonNullable<MethodRow['subject']> | 'none', Record<string, unknown>> = {
  name: { name: 'echo', arguments: { secret: 'x' } },
  uri: { uri },
  ref: { ref: { type: 'ref/prompt', name: 'greeting' }, argument: { name: 'a', value: '' } },
  task: { taskId: 'of-nobody' },
  none: { notifications: { toolsListChanged: true }, level: 'info' },
}

/** Everything that can be sent to the address of a server: the table of methods, and what is beside it. */
const steps: readonly Step[] = [
  ...[...methods].flatMap(([method, row]) =>
    (['session', 'stateless'] as const)
      .filter(era => row.eras === era || row.eras === 'both')
      .map(era => post(era, method, { id: 7, params: parameters[row.subject ?? 'none'] })),
  ),
  post('session', 'initialize', { id: 7, params: hello }),
  post('stateless', 'initialize', { id: 7, params: hello }),
  post('session', 'no/such', { id: 7 }),
  post('stateless', 'no/such', { id: 7 }),
  ...[...clientNotifications, 'notifications/of-nobody'].map(method => post('session', method, {})),
  bare('a response', { method: 'POST', body: { jsonrpc: '2.0', id: 1, result: {} } }),
  bare('an error', { method: 'POST', body: { jsonrpc: '2.0', id: 1, error: { code: 1, message: '' } } }),
  bare('a batch', { method: 'POST', body: [] }),
  bare('GET', { method: 'GET' }),
  bare('DELETE', { method: 'DELETE' }),
  bare('PUT', { method: 'PUT' }),
]

function post(era: Era, method: string, said: { id?: number; params?: Record<string, unknown> }): Step {
  return { name: `${era} ${method}`, era, asked: session => inEra(era, { method, session, ...said }) }
}

function bare(name: string, asked: Asked): Step {
  const headersWith = (session: string | undefined): Record<string, string> =>
    session === undefined ? {} : { 'mcp-session-id': session }
  return { name, era: 'session', asked: session => ({ ...asked, headers: headersWith(session) }) }
}

const addresses = (server: string) => [`${house.url}/mcp/${server}/server`, `${house.url}/mcp/${server}`]
const at = (server: string) => `${house.url}/mcp/${server}/server`

it('answers 401 without a token, with the challenge, also inside a session', async () => {
  for (const url of addresses('lab/echo')) {
    for (const { name, asked } of steps) {
      const answer = await call(url, asked(session))
      expect([name, answer.status]).toEqual([name, 401])
      const metadata = url.replace('/mcp/', '/.well-known/oauth-protected-resource/mcp/')
      expect(answer.headers['www-authenticate']).toBe(
        `Bearer resource_metadata="${metadata}", scope="mcp:use"`,
      )
    }
  }
})

it.each(badTokens)('answers 401 to a token that is %s', async kind => {
  for (const { name, asked } of steps) {
    const answer = await call(at('lab/echo'), {
      ...asked(session),
      token: house.bad(kind),
      from: addressOf(kind),
    })
    expect([name, answer.status]).toEqual([name, 401])
    expect(answer.headers['www-authenticate']).toContain('error="invalid_token"')
  }
})

it('answers without a grant as if there were no such server and no such group', async () => {
  const before = house.echo.seen.length
  for (const { name, asked } of steps) {
    const answers = await Promise.all(
      ['lab/echo', 'lab/none', 'none/echo'].flatMap(addresses).map(async url => {
        return comparable(await call(url, { ...asked(session), token: house.token('stranger') }))
      }),
    )
    expect([name, answers[0]?.status]).toEqual([name, 404])
    for (const answer of answers) expect(answer).toEqual(answers[0])
  }
  expect(house.echo.seen.slice(before)).toEqual([])
})

it('gives the session of one to nobody else', async () => {
  const inside = steps.filter(({ era, name }) => era === 'session' && !/initialize|batch|PUT/.test(name))
  for (const { name, asked } of inside) {
    const answer = await call(at('lab/echo'), { ...asked(session), token: house.token('picky') })
    const other = await call(at('lab/echo'), { ...asked('of-nobody'), token: house.token('picky') })
    expect([name, answer.status]).toEqual([name, 404])
    expect(comparable(answer)).toEqual(comparable(other))
  }
  expect(
    (
      await call(at('lab/poor'), {
        ...inEra('session', { id: 1, method: 'ping', session }),
        token: house.token('owner'),
      })
    ).status,
  ).toBe(404)
})

it('lets those through who may: every step of the table reaches its end', async () => {
  const own = await openSession(at('lab/echo'), house.token('robot'))
  for (const { name, era, asked } of steps.filter(({ name }) => methods.has(name.split(' ')[1] ?? ''))) {
    if (name.endsWith('subscriptions/listen')) continue
    // No task is anybody's before a call became one.
    if (methods.get(name.split(' ')[1] ?? '')?.subject === 'task') continue
    const answer = await call(at('lab/echo'), { ...asked(own), token: house.token('robot') })
    expect([name, era, answer.status, answerOf(answer).error]).toEqual([name, era, 200, undefined])
  }
})
