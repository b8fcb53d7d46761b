/**
 * Many people with accounts of their own at one server, whose tokens last for moments, through two gateways of one database; and
 * the authorization server goes away in the middle. GATEHOUSE_TEST_ACCOUNTS=500 runs ten minutes, as before a release.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../fixtures/api.ts'
import { type GatewayPair, startGatewayPair } from '../fixtures/gateway-pair.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, type Era, inEra, type Message, openSession, textOf } from '../fixtures/mcp-call.ts'
import { Browser, roomOf } from '../fixtures/oauth-browser.ts'
import {
  type Outage,
  type Report,
  type StrictProvider,
  startStrictProvider,
} from '../fixtures/strict-provider.ts'

const people = Number(process.env.GATEHOUSE_TEST_ACCOUNTS ?? 40)
const isWhole = people >= 500
type Times = Record<'lifetime' | 'before' | 'outage' | 'after' | 'rest' | 'grace', number>
/**
 * How long the tokens last, how long is called before and after the outage, how long each kind of outage lasts, and between calls;
 * and for how long what was under way when the authorization server came back may still fail.
 */
const times: Times = isWhole
  ? { lifetime: 20_000, before: 250_000, outage: 25_000, after: 275_000, rest: 8000, grace: 2000 }
  : { lifetime: 2500, before: 5000, outage: 1500, after: 5000, rest: 400, grace: 500 }
/** A process starts within this where none of that has to be longer. */
const usualStartMilliseconds = 500
const mostSlowness = 8
const outages: readonly Outage[] = ['refuse', 'error', 'hang']
/** The gateway sends no token in its last twentieth. */
const unusedShare = 0.05
/** It renews in the last fifth of a token's life, as it counts: from when it asked, which is before it was answered. */
const earlyShare = 0.5

type Person = {
  readonly name: string
  readonly email: string
  readonly era: Era
  token: string
  session: string
}
type Failure = {
  readonly name: string
  readonly began: number
  readonly at: number
  readonly message: Message
}

let pair: GatewayPair
let provider: StrictProvider
const everybody: readonly Person[] = Array.from({ length: people }, (_, at) => ({
  name: `u${at}`,
  email: `u${at}@example.com`,
  era: at % 2 === 0 ? ('stateless' as const) : ('session' as const),
  token: '',
  session: '',
}))
const path = '/mcp/lab/strict/server'

/** Tokens for moments would be over on a slow machine before anybody could use them: there a moment is longer. */
async function fitTimes(): Promise<void> {
  const began = performance.now()
  await (await startStrictProvider(times.lifetime)).stop()
  const slowness = (performance.now() - began) / usualStartMilliseconds
  const factor = Math.min(mostSlowness, Math.max(1, slowness))
  for (const name of Object.keys(times) as (keyof Times)[]) times[name] = Math.round(times[name] * factor)
}

beforeAll(async () => {
  if (!isWhole) await fitTimes()
  provider = await startStrictProvider(times.lifetime)
  const root = 'root@example.com'
  const transport = { kind: 'streamable-http', url: provider.url, allowPrivateNetwork: true }
  const manifest = {
    users: [{ email: root, role: 'admin' }, ...everybody.map(({ email }) => ({ email, role: 'member' }))],
    groups: [{ name: 'lab', access: [{ subject: 'everyone' }] }],
    servers: [{ group: 'lab', name: 'strict', transport, auth: { kind: 'oauth2' } }],
  }
  pair = await startGatewayPair(manifest, root)
  await connectAll()
})

afterAll(async () => {
  await pair?.stop()
  await provider?.stop()
})

async function connectAll(): Promise<void> {
  const [{ url, dataDir }] = pair.both
  const api = apiOf(url, pair.token)
  const room = await roomOf({ dataDir, databaseUrl: pair.databaseUrl })
  const users = await room.database.kysely.selectFrom('users').select(['id', 'email']).execute()
  const left = [...everybody]
  const lane = async () => {
    for (let person = left.pop(); person !== undefined; person = left.pop()) {
      const { email } = person
      const userId = users.find(user => user.email === email)?.id ?? ''
      const browser = new Browser()
      browser.setCookie(
        room.identity.sessionCookie(await room.identity.sessions.open({ userId, method: 'link' })),
      )
      await connect(browser, person.name)
      person.token = (await tokenFor(api, `user:${email}`)).token
      if (person.era === 'session') person.session = await openSession(url + path, person.token)
    }
  }
  await Promise.all(Array.from({ length: 4 }, lane))
  await room.close()
}

async function connect(browser: Browser, name: string): Promise<void> {
  const page = await browser.go(`${pair.both[0].url}/connect/lab/strict`)
  const onward = await browser.submit(page, {})
  const [, link = ''] = /content="0; url=([^"]+)"/.exec(onward.text) ?? []
  const there = await fetch(`${link.replaceAll('&amp;', '&')}&user=${name}`, { redirect: 'manual' })
  const done = await browser.go(there.headers.get('location') ?? '')
  if (!done.text.includes('is connected')) throw new Error(`${name}: ${done.status} ${done.text}`)
}

/** Calls now here and now there until it is over; gives what was no answer with one's own name. */
async function callOn({ name, token, era, session }: Person, isOver: () => boolean): Promise<Failure[]> {
  const failures: Failure[] = []
  const params = { name: 'whoami', arguments: { as: name } }
  for (let id = 1; !isOver(); id++) {
    const url = pair.both[Math.random() < 0.5 ? 0 : 1].url + path
    const began = Date.now()
    const asked = inEra(era, { id, method: 'tools/call', params, ...(session !== '' && { session }) })
    const message = await call(url, { ...asked, token }).then(
      answerOf,
      (error: unknown) => ({ error: String(error) }) as never,
    )
    if (textOf(message) !== name) failures.push({ name, began, at: Date.now(), message })
    await sleep(times.rest * (0.25 + Math.random() * 0.75))
  }
  return failures
}

it(`${people} people with accounts of their own, through two gateways: no call fails for a renewal, and nobody is somebody else`, {
  timeout: 900_000,
}, async () => {
  const before = (await provider.report()).families.length
  let isOver = false
  const work = Promise.all(everybody.map(person => callOn(person, () => isOver)))
  await sleep(times.before)
  const out = { from: Date.now(), until: 0 }
  for (const outage of outages) {
    await provider.take(outage)
    await sleep(times.outage)
  }
  await provider.take('none')
  out.until = Date.now()
  await sleep(times.after)
  isOver = true
  const failures = (await work).flat()
  const report = await provider.report()
  process.stderr.write(`${JSON.stringify(summary(report, failures))}\n`)

  expect(report.mismatches).toEqual([])
  expect(report.calls).toBeGreaterThan(people * 10)
  // Nobody connected anew, and nothing was ended.
  expect([before, report.families.length]).toEqual([people, people])
  expect(report.registrations).toBe(1)
  expect(failures.filter(failure => !isOfTheOutage(failure, out, report)).slice(0, 5)).toEqual([])
  expect(failures.length).toBeGreaterThan(0)
  for (const { message } of failures) {
    expect(JSON.stringify(message)).toContain('vault.provider_trouble')
    expect(JSON.stringify(message)).not.toContain('SECRET OF THE PROVIDER')
  }
  for (const { user, issued, reuses } of report.families) {
    // A second renewal of one expiry would be the use of a token that was used.
    expect(reuses, user).toBe(0)
    const early = issued
      .slice(1)
      .filter(({ at }, number) => (issued[number]?.until ?? 0) - at > times.lifetime * earlyShare)
    expect(early, user).toEqual([])
    // Whoever is called for all the time is renewed all the time: after every expiry, and so after the outage as well.
    expect(issued.at(-1)?.at, user).toBeGreaterThan(out.until)
    expect(issued.length, user).toBeGreaterThan((times.before + times.after) / times.lifetime / 2)
  }
})

/** Only while nobody renews, and only with a token that has ended. */
function isOfTheOutage(
  { name, began, at }: Failure,
  out: { from: number; until: number },
  { families }: Report,
): boolean {
  if (at < out.from || began > out.until + times.grace) return false
  const issued = families.find(({ user }) => user === name)?.issued ?? []
  const last = issued.filter(token => token.at <= began).at(-1)
  return last !== undefined && at >= last.until - times.lifetime * unusedShare
}

function summary(
  { calls, families, expiredSeen, unknownSeen }: Report,
  failures: readonly Failure[],
): object {
  const refreshes = families.reduce((sum, { issued }) => sum + issued.length - 1, 0)
  const reuses = families.reduce((sum, family) => sum + family.reuses, 0)
  return { people, calls, refreshes, reuses, expiredSeen, unknownSeen, failures: failures.length }
}
