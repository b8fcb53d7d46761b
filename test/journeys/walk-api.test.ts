/** Walks every route of the management API, as everybody who must not get through. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { addressOf, badTokens, type House, openHouse } from '../fixtures/house.ts'
import { type Answered, type Asked, call } from '../fixtures/http-call.ts'

let house: House
let documented: Operation[]
let secretOfRobot: string

/** Parameters that name things which exist and belong to others. A route with a new one has to be named here. */
const existing = (): Record<string, string> => ({
  'users.email': 'owner@example.com',
  'teams.name': 'crew',
  'teams.email': 'owner@example.com',
  'accounts.name': 'robot',
  'accounts.id': secretOfRobot,
  'tokens.id': house.ids.token,
  'groups.group': 'lab',
  'groups.subject': 'user:owner@example.com',
  'groups.id': house.ids.grant,
  'servers.group': 'lab',
  'servers.server': 'echo',
  'virtual-servers.group': 'lab',
  'virtual-servers.server': 'parts',
  'policies.policy': 'closed-yard',
  'identity-providers.name': 'acme',
  'me.id': 'of-nobody',
  'connections.id': 'of-nobody',
  'oauth.id': 'of-nobody',
  'oauth-clients.clientId': 'editor',
})

beforeAll(async () => {
  house = await openHouse()
  await house.api('PUT /virtual-servers/lab/parts/draft', { sources: [{ server: 'lab/echo' }] })
  await house.api('POST /virtual-servers/lab/parts/publish')
  const text = 'forbid (principal, action, resource in Group::"yard");'
  await house.api('PUT /policies/closed-yard', { text })
  await house.api('POST /identity-providers', { name: 'acme', issuer: 'https://acme.example' })
  await house.api('POST /oauth-clients', {
    name: 'editor',
    redirectUris: ['https://editor.example.com/callback'],
  })
  secretOfRobot = (await house.api<{ id: string }>('POST /accounts/robot/secrets', {})).id
  documented = await operations()
})

afterAll(() => house?.stop())

type Operation = {
  readonly name: string
  readonly method: string
  readonly path: string
  /** Who may enter, in the words of the document. */
  readonly entry: string
  readonly isOpen: boolean
}

async function operations(): Promise<Operation[]> {
  type Described = { description: string; security?: unknown[] }
  const { paths } = await house.api<{ paths: Record<string, Record<string, Described>> }>('GET /openapi.json')
  return Object.entries(paths).flatMap(([template, verbs]) =>
    Object.entries(verbs).map(([verb, { description, security }]) => {
      const method = verb.toUpperCase()
      const [, , , family = ''] = template.split('/')
      const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
        const value = existing()[`${family}.${name}`]
        if (value === undefined) throw new Error(`${method} ${template}: name an existing ${family}.${name}`)
        return encodeURIComponent(value)
      })
      const name = `${method} ${template.replace('/api/v1', '')}`
      return {
        name,
        method,
        path,
        entry: description.replace(/ With the session of a browser:.*/, ''),
        isOpen: security?.length === 0,
      }
    }),
  )
}

/** What is well formed but names what belongs to others, for the routes that let everybody in and look closer inside. */
const bodies: Record<string, () => unknown> = {
  'PATCH /me/passkeys/{id}': () => ({ name: 'mine now' }),
  'POST /tokens': () => ({ user: 'owner@example.com' }),
  'POST /tokens/{id}/rotate': () => ({}),
  'POST /accounts/{name}/secrets': () => ({}),
  'POST /accounts/{name}/secrets/rotate': () => ({}),
  'PATCH /groups/{group}': () => ({ description: 'mine now' }),
  'POST /groups/{group}/grants': () => ({ subject: 'user:stranger@example.com' }),
  'POST /access/explain': () => ({ subject: 'user:owner@example.com', server: 'lab/echo' }),
  'POST /servers': () => ({ group: 'lab', name: 'mine', transport: house.echo.transport }),
  'POST /servers/test': () => ({ group: 'lab', name: 'mine', transport: house.echo.transport }),
  'PATCH /servers/{group}/{server}': () => ({ description: 'mine now' }),
  'PUT /virtual-servers/{group}/{server}/draft': () => ({ sources: [{ server: 'lab/echo' }] }),
  'POST /virtual-servers/{group}/{server}/roll-back': () => ({ number: 1 }),
  'POST /servers/{group}/{server}/review/approve': () => ({ tools: ['echo'], hashes: { echo: 'mine' } }),
  'PUT /connections': () => ({ server: 'lab/echo', values: {} }),
  'POST /servers/{group}/{server}/review/hold': () => ({ tools: ['echo'] }),
}

function ask({ name, method, path }: Operation, asked: Asked): Promise<Answered> {
  return call(`${house.url}${path}`, { method, body: bodies[name]?.(), ...asked })
}

/** So many failures of one address are told apart from a flood; the rest of the walk comes from its neighbour. */
const mostOfOne = 80
const neighbourOf = (address: string) => address.replace('127.0.0.', '127.0.1.')

/** Every operation that needs a token, with what came when it was asked. */
function walked(asked: Asked): Promise<readonly (readonly [string, Answered])[]> {
  const guarded = documented.filter(({ isOpen }) => !isOpen)
  const { from } = asked
  return Promise.all(
    guarded.map(async (operation, at) => {
      const own = from !== undefined && at >= mostOfOne ? { ...asked, from: neighbourOf(from) } : asked
      return [operation.name, await ask(operation, own)] as const
    }),
  )
}

const statuses = (answers: readonly (readonly [string, Answered])[]) =>
  Object.fromEntries(answers.map(([name, { status }]) => [name, status]))

const all = (status: number) =>
  Object.fromEntries(documented.filter(({ isOpen }) => !isOpen).map(({ name }) => [name, status]))

const problem = ({ text }: Answered): { code: string } => JSON.parse(text)

it('is open exactly where it says so', async () => {
  const open = documented.filter(({ isOpen }) => isOpen).map(({ name }) => name)
  expect(open).toEqual(['POST /claim'])
  const pages = ['/', '/claim', '/healthz', '/readyz', '/api/v1/openapi.json', '/metrics', '/mcp', '/api/v1']
  const found = await Promise.all(
    pages.map(async page => [page, (await call(house.url + page)).status] as const),
  )
  // Metrics are open to a scraper on the same machine only.
  expect(Object.fromEntries(found)).toEqual({
    '/': 200,
    '/claim': 200,
    '/healthz': 200,
    '/readyz': 200,
    '/api/v1/openapi.json': 200,
    '/metrics': 200,
    '/mcp': 401,
    '/api/v1': 404,
  })
})

it('answers 401 without a token', async () => {
  const answers = await walked({})
  expect(statuses(answers)).toEqual(all(401))
  for (const [, answer] of answers) {
    expect(problem(answer).code).toBe('identity.no_token')
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="gatehouse"')
  }
})

it('answers 401 to every token that is not good', async () => {
  for (const kind of badTokens) {
    const answers = await walked({ token: house.bad(kind), from: addressOf(kind) })
    expect({ kind, ...statuses(answers) }).toEqual({ kind, ...all(401) })
    for (const [, answer] of answers) {
      expect(problem(answer).code).toBe('identity.bad_token')
      expect(answer.headers['www-authenticate']).toContain('error="invalid_token"')
    }
  }
})

it('answers 403 to the token of a virtual account, but tells it who it is', async () => {
  const answers = await walked({ token: house.token('robot') })
  expect(statuses(answers)).toEqual({ ...all(403), 'GET /me': 200 })
})

it('answers 403 to the wrong role', async () => {
  const refusing: Record<string, readonly string[]> = {
    'For admins.': ['owner', 'stranger', 'checker'],
    'For auditors and admins.': ['owner', 'stranger'],
  }
  for (const operation of documented) {
    for (const name of refusing[operation.entry] ?? []) {
      const { status } = await ask(operation, { token: house.token(name) })
      expect([operation.name, name, status]).toEqual([operation.name, name, 403])
    }
  }
})

it('shows and does nothing of others where everybody may enter', async () => {
  const before = await house.api('GET /manifest')
  const entered = documented.filter(({ entry }) => entry.startsWith('For every user'))
  expect(entered.length).toBeGreaterThan(15)
  for (const operation of entered) {
    const { status, text } = await ask(operation, { token: house.token('stranger') })
    const isOwn = operation.name === 'DELETE /me/sessions'
    const isPersonal = isOwn || (operation.method === 'GET' && !operation.name.includes('{'))
    if (isPersonal) {
      expect([operation.name, status]).toEqual([operation.name, isOwn ? 204 : 200])
      expect(text).not.toMatch(/owner|robot|crew|\blab\b|echo/)
    } else if (operation.name === 'DELETE /me/sessions') expect(status).toBe(204)
    else expect([operation.name, [403, 404].includes(status), status]).toEqual([operation.name, true, status])
  }
  expect(await house.api('GET /manifest')).toEqual(before)
})

it('lists only the tools that are granted', async () => {
  const names = async (who: string) => {
    const { text } = await call(`${house.url}/api/v1/tools`, { token: house.token(who) })
    return JSON.parse(text).items.map(
      (item: { server: string; name: string }) => `${item.server} ${item.name}`,
    )
  }
  expect(await names('picky')).toEqual(['lab/echo echo', 'lab/poor echo'])
  expect(await names('reader')).toEqual(['lab/echo echo'])
  expect(await names('stranger')).toEqual([])
})
