/** What a change would have changed: real calls, made again by a manifest and by policies that are only tried out. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, apiOf, tokenFor } from '../fixtures/api.ts'
import { type ChangingServer, startChangingServer } from '../fixtures/changing-server.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, inEra } from '../fixtures/mcp-call.ts'
import { type PostgresServer, startPostgres } from '../fixtures/postgres-server.ts'

const properties = { path: { type: 'string' } }
const tool = (name: string) => ({ name, description: name, inputSchema: { type: 'object', properties } })
const user = (name: string, role = 'member') => ({ email: `${name}@example.com`, role })
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-simulate-'))

type Flip = {
  subject: string
  server: string
  method: string
  thing: string | null
  from: string
  to: string
  count: number
  before: string
  after: string
  example: { requestId: string; recorded: string }
}
type Summary = {
  replayed: number
  flipped: number
  flips: Flip[]
  undecided: { why: string; count: number; says: string }[]
  drifted: number
  why?: string
}

describe.each([
  ['full', 'SQLite'],
  ['hash', 'PostgreSQL'],
])('with arguments recorded as %s, on %s', (recorded, where) => {
  let postgres: PostgresServer | undefined
  const tokens: Record<string, string> = {}
  let server: ChangingServer
  let gateway: Gateway
  let api: Api

  const manifest = (more: Record<string, unknown> = {}) => ({
    users: [user('root', 'admin'), user('ana'), user('bo')],
    teams: [{ name: 'crew', members: ['ana@example.com'] }],
    groups: [
      {
        name: 'eng',
        access: [{ subject: 'team:crew' }, { subject: 'user:bo@example.com', tools: ['read'] }],
      },
    ],
    servers: [{ group: 'eng', name: 'files', transport: server.transport }],
    ...more,
  })

  async function use(who: string, name: string, path?: string, at = 'eng/files'): Promise<boolean> {
    const params = { name, ...(path !== undefined && { arguments: { path } }) }
    const asked = inEra('stateless', { id: 1, method: 'tools/call', params })
    return (
      answerOf(await call(`${gateway.url}/mcp/${at}/server`, { ...asked, token: tokens[who] })).error ===
      undefined
    )
  }

  const simulate = (body: Record<string, unknown>) => api<Summary>('POST /access/simulate', body)
  const trying = (more: Record<string, unknown>) => simulate({ manifest: JSON.stringify(manifest(more)) })
  const flips = ({ flips: all }: Summary) =>
    all
      .map(
        ({ subject, server: at, thing, from, to, count }) =>
          `${subject} ${at} ${thing} ${from} ${to} ${count}`,
      )
      .sort()

  beforeAll(async () => {
    server = await startChangingServer('session')
    server.show(tool('read'), tool('write'))
    postgres = where === 'PostgreSQL' ? await startPostgres() : undefined
    const place: Record<string, string> =
      postgres === undefined ? {} : { GATEHOUSE_DATABASE_URL: await postgres.createDatabase() }
    gateway = await startGateway({
      user: 'root@example.com',
      manifest: manifest(),
      env: { GATEHOUSE_AUDIT_ARGUMENTS: recorded, ...place },
    })
    api = apiOf(gateway.url, gateway.token)
    for (const name of ['ana', 'bo']) tokens[name] = (await tokenFor(api, `user:${name}@example.com`)).token
    await api('POST /servers/eng/files/test')
    await api('PUT /virtual-servers/eng/safe/draft', {
      access: [{ subject: 'user:bo@example.com' }],
      sources: [{ server: 'eng/files', tools: [{ name: 'write', as: 'note' }] }],
    })
    await api('POST /virtual-servers/eng/safe/publish')
    expect(await use('ana', 'read', '/srv/a')).toBe(true)
    expect(await use('ana', 'read', '/etc/b')).toBe(true)
    expect(await use('ana', 'write', '/srv/a')).toBe(true)
    expect(await use('bo', 'read', '/srv/a')).toBe(true)
    expect(await use('bo', 'write', '/srv/a')).toBe(false)
    expect(await use('bo', 'note', '/srv/a', 'eng/safe')).toBe(true)
  })

  afterAll(async () => {
    await gateway?.stop()
    await server?.stop()
    await postgres?.stop()
  })

  it('nothing flips where nothing changes', async () => {
    expect(await trying({})).toMatchObject({
      replayed: 6,
      flipped: 0,
      drifted: 0,
      undecided: [],
      why: expect.any(String),
    })
  })

  it('a person who leaves a team, a grant that is given, and one that is taken', async () => {
    expect(flips(await trying({ teams: [{ name: 'crew', members: [] }] }))).toEqual([
      'user:ana@example.com eng/files read allowed refused 2',
      'user:ana@example.com eng/files write allowed refused 1',
    ])
    const groups = [{ name: 'eng', access: [{ subject: 'user:bo@example.com' }] }]
    const summary = await trying({ groups })
    expect(flips(summary)).toEqual([
      'user:ana@example.com eng/files read allowed refused 2',
      'user:ana@example.com eng/files write allowed refused 1',
      'user:bo@example.com eng/files write refused allowed 1',
    ])
    expect(summary.flips.find(({ to }) => to === 'allowed')).toMatchObject({
      before: 'no grant',
      after: expect.stringContaining('to user:bo@example.com'),
      example: { recorded: 'refused', requestId: expect.any(String) },
    })
  })

  it('a tool policy, behind a virtual server too, and a user who goes', async () => {
    const servers = [{ group: 'eng', name: 'files', transport: server.transport, tools: { deny: ['write'] } }]
    expect(flips(await trying({ servers }))).toEqual([
      'user:ana@example.com eng/files write allowed refused 1',
      'user:bo@example.com eng/safe note allowed refused 1',
    ])
    const users = [user('root', 'admin'), user('ana')]
    const groups = [{ name: 'eng', access: [{ subject: 'team:crew' }] }]
    const text = JSON.stringify(manifest({ users, groups }))
    expect(flips(await simulate({ manifest: text, prune: true }))).toEqual([
      'user:bo@example.com eng/files read allowed refused 1',
      'user:bo@example.com eng/safe note allowed refused 1',
    ])
  })

  it('a policy on everything, in shadow mode, and one to do without', async () => {
    const text = 'forbid (principal, action == Action::"tool.call", resource in Server::"eng/files");'
    const summary = await simulate({ policy: { name: 'closed', text } })
    expect(flips(summary)).toEqual([
      'user:ana@example.com eng/files read allowed refused 2',
      'user:ana@example.com eng/files write allowed refused 1',
      'user:bo@example.com eng/files read allowed refused 1',
      'user:bo@example.com eng/safe note allowed refused 1',
    ])
    expect(await simulate({ policy: { name: 'closed', text, mode: 'shadow' } })).toMatchObject({ flipped: 0 })
    await api('PUT /policies/closed', { text })
    expect(await simulate({ withoutPolicy: 'closed' })).toMatchObject({ flipped: 5, drifted: 5 })
    await api('DELETE /policies/closed')
  })

  it('a policy on arguments, exactly where they are recorded', async () => {
    const text = `forbid (principal, action == Action::"tool.call", resource in Server::"eng/files") when { context.arguments has path && context.arguments.path like "/etc/*" };`
    const summary = await simulate({ policy: { name: 'no-etc', text } })
    if (recorded === 'full') {
      expect(flips(summary)).toEqual(['user:ana@example.com eng/files read allowed refused 1'])
      expect(summary.undecided).toEqual([])
    } else {
      expect(summary).toMatchObject({ flipped: 0, undecided: [{ why: 'arguments', count: 5 }] })
      expect(summary.undecided[0]?.says).toContain('audit.arguments: full')
    }
  })

  it('changes nothing, and is in the audit once', async () => {
    const before = await api('GET /manifest')
    await trying({ groups: [{ name: 'eng' }] })
    await simulate({ policy: { name: 'closed', text: 'forbid (principal, action, resource);' } })
    expect(await api('GET /manifest')).toEqual(before)
    expect(await api('GET /policies')).toMatchObject({ items: [] })
    expect(await use('ana', 'read', '/srv/c')).toBe(true)
    const { items } = await api<{ items: unknown[] }>('GET /audit?action=access.simulate&limit=2')
    expect(items).toMatchObject([
      { kind: 'change', target: 'policy:closed', detail: { flipped: expect.any(Number) } },
      { target: 'manifest' },
    ])
  })

  it('refuses what could not be applied, and what is not one trial', async () => {
    for (const [body, why] of [
      [{}, 'nothing to try out'],
      [{ withoutPolicy: 'a', manifest: '{}' }, 'more than one thing'],
      [{ withoutPolicy: 'nobody' }, 'There is no policy nobody'],
      [
        { policy: { name: 'bad', text: 'forbid (principal in Team::"ghosts", action, resource);' } },
        'There is no team ghosts',
      ],
      [{ manifest: 'groups: 5' }, 'manifest.invalid'],
      [{ manifest: '{}', last: 10_001 }, 'last'],
    ] as const)
      await expect(simulate(body)).rejects.toThrow(why)
    await expect(
      apiOf(gateway.url, tokens.ana ?? '')('POST /access/simulate', { manifest: '{}' }),
    ).rejects.toThrow('403')
  })

  it('the command lists it', async () => {
    const file = join(folder, `${recorded}.yaml`)
    writeFileSync(file, JSON.stringify(manifest({ teams: [{ name: 'crew', members: [] }] })))
    const printed = await gateway.cli('access', 'simulate', '-f', file, '--since', '1h')
    expect(printed).toMatch(/\d of \d decisions would be turned over\./)
    expect(printed).toContain('user:ana@example.com  eng/files  tools/call read')
    const policy = join(folder, `${recorded}.cedar`)
    writeFileSync(policy, 'forbid (principal, action, resource);')
    const summary = JSON.parse(
      await gateway.cli('access', 'simulate', '--policy', `none=${policy}`, '--last', '2', '--json'),
    )
    expect(summary).toMatchObject({ replayed: 2 })
    await expect(gateway.cli('access', 'simulate', '--policy', policy)).rejects.toThrow('ended with 2')
  })
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))
