import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { type OpenRooms, openRooms, person } from '../../test/fixtures/rooms.ts'
import type { Caller } from '../foundation/route.ts'
import { gatewayItself } from '../upstreams/index.ts'
import type { PlanEntry, Problem } from './index.ts'

type Outcome = { plan: PlanEntry[]; applied: boolean }
type Options = { secrets?: Record<string, string>; dryRun?: boolean; prune?: boolean }

const boss = person('boss@x.io', { role: 'admin' })
const whole = `
users:
  - email: Boss@x.io
    role: admin
  - email: ana@x.io
teams:
  - name: engineering
    members: [ana@x.io]
virtualAccounts:
  - name: nightly
    owner: user:ana@x.io
groups:
  - name: eng
    description: Engineers
    managers: [user:lead@x.io, team:engineering]
    access:
      - subject: team:engineering
      - subject: account:nightly
        servers: [files]
        tools: [read_text_file, list_*]
      - subject: everyone
        tools: readOnly
servers:
  - group: eng
    name: everything
    description: Reference server
    transport: { kind: streamable-http, url: "http://localhost:3001/mcp", allowPrivateNetwork: true }
  - group: eng
    name: files
    transport:
      kind: stdio
      command: npx
      args: [-y, "@modelcontextprotocol/server-filesystem@2026.8.31", /srv/files]
      env: { LOG_LEVEL: info, API_KEY: "\${file:/run/key}" }
    tools: { default: allow, deny: [write_file] }
  - group: eng
    name: internal-db
    transport: { kind: streamable-http, url: "https://db.example.com/mcp" }
    auth: { kind: headers, headers: { Authorization: "Bearer \${env:DB_TOKEN}", X-Region: eu } }
`
const secrets = { 'env:DB_TOKEN': 'db-secret-1', 'file:/run/key': 'key-secret-1\n' }

function applier(rooms: OpenRooms) {
  return (manifest: string, options: Options = {}, caller?: Caller) =>
    rooms.ask<Outcome>('POST /manifest', { manifest, secrets, ...options }, caller)
}

const lines = ({ plan }: Outcome) => plan.map(({ action, kind, name }) => `${action} ${kind} ${name}`)
const changing = (outcome: Outcome) => lines(outcome).filter(line => !line.startsWith('keep'))
const exported = async (rooms: OpenRooms) => (await rooms.ask<{ manifest: string }>('GET /manifest')).manifest
const problemsOf = (promise: Promise<unknown>) =>
  promise.then(
    () => [],
    error => error.data.problems as Problem[],
  )

onEachDatabase(open => {
  async function house() {
    const rooms = await openRooms(await open())
    return { ...rooms, apply: applier(rooms), export: () => exported(rooms) }
  }

  it('makes everything so, effective at once, and the second time changes nothing', async () => {
    const { apply, access, register, vault } = await house()
    const first = await apply(whole)
    expect(first.applied).toBe(true)
    expect(lines(first)).toEqual([
      'create user ana@x.io',
      'create user boss@x.io',
      'create team engineering',
      'create virtualAccount nightly',
      'create group eng',
      'create server eng/everything',
      'create server eng/files',
      'create server eng/internal-db',
    ])
    const db = register.find('eng', 'internal-db')
    if (db === undefined) throw new Error('not registered')
    expect((await vault.equip(db, gatewayItself)).headers).toEqual([
      'Authorization',
      'Bearer db-secret-1',
      'X-Region',
      'eu',
    ])
    const files = register.find('eng', 'files')
    expect(files && (await vault.equip(files, gatewayItself)).environment()).toEqual({
      LOG_LEVEL: 'info',
      API_KEY: 'key-secret-1',
    })
    const ana = person('ana@x.io', { teams: ['engineering'] })
    expect(
      access.clear(ana, 'server.use', { group: 'eng', server: 'files', policy: db.policy }).allowed,
    ).toBe(true)
    const second = await apply(whole)
    expect(lines(second)).toEqual(lines(first).map(line => line.replace('create', 'keep')))
    expect(register.find('eng', 'internal-db')).toBe(db)
  })

  it('exports what it applies: applying an export changes nothing, here or elsewhere', async () => {
    const here = await house()
    await here.apply(whole)
    const text = await here.export()
    expect(text).not.toMatch(/secret-1/)
    expect(changing(await here.apply(text, { prune: true }))).toEqual([])
    expect(parse(text)).toEqual({
      ...parse(whole),
      users: [{ email: 'ana@x.io' }, { email: 'boss@x.io', role: 'admin' }],
      groups: [
        {
          ...parse(whole).groups[0],
          managers: ['team:engineering', 'user:lead@x.io'],
          access: [
            { subject: 'account:nightly', servers: ['files'], tools: ['list_*', 'read_text_file'] },
            { subject: 'everyone', tools: 'readOnly' },
            { subject: 'team:engineering' },
          ],
        },
      ],
      servers: parse(whole).servers.map((server: { tools?: object }) =>
        server.tools ? { ...server, tools: { deny: ['write_file'] } } : server,
      ),
    })
    const there = await house()
    await there.apply(text)
    expect(await there.export()).toBe(text)
  })

  it('exports what was made through the API, with placeholders for secrets that were given literally', async () => {
    const { ask, apply, export: exportAll, register, vault } = await house()
    await ask('POST /groups', { name: 'eng' })
    const headers = { Authorization: 'Bearer literal-secret' }
    const transport = { kind: 'sse', url: 'https://x.example.com/sse' }
    await ask('POST /servers', { group: 'eng', name: 'old', transport, auth: { kind: 'headers', headers } })
    const text = await exportAll()
    expect(text).not.toContain('literal-secret')
    expect(text).toContain(`\${env:GATEHOUSE_SECRET_ENG_OLD_AUTHORIZATION}`)
    expect(changing(await apply(text, { secrets: {} }))).toEqual([])
    const given = { 'env:GATEHOUSE_SECRET_ENG_OLD_AUTHORIZATION': 'Bearer new' }
    expect(changing(await apply(text, { secrets: given }))).toEqual(['update server eng/old'])
    const old = register.find('eng', 'old')
    expect(old && (await vault.equip(old, gatewayItself)).headers).toEqual(['Authorization', 'Bearer new'])
  })

  it('exports an empty instance as an empty manifest, which applies', async () => {
    const { apply, export: exportAll } = await house()
    expect(parse(await exportAll())).toEqual({})
    expect(await apply(await exportAll())).toEqual({ plan: [], applied: true })
    expect(await apply('')).toEqual({ plan: [], applied: true })
  })

  it('says what changes, and shows no secret doing so', async () => {
    const { apply, audit } = await house()
    await apply(whole)
    audit.events.length = 0
    const changed = whole
      .replace('description: Engineers', 'description: All')
      .replace('email: ana@x.io', 'email: ana@x.io\n    role: auditor')
      .replace('/srv/files', '/srv/other')
    const outcome = await apply(changed, { secrets: { ...secrets, 'env:DB_TOKEN': 'db-secret-2' } })
    expect(outcome.plan.filter(entry => entry.action !== 'keep')).toEqual([
      {
        action: 'update',
        kind: 'user',
        name: 'ana@x.io',
        changes: [{ path: 'role', from: 'member', to: 'auditor' }],
      },
      {
        action: 'update',
        kind: 'group',
        name: 'eng',
        changes: [{ path: 'description', from: 'Engineers', to: 'All' }],
      },
      {
        action: 'update',
        kind: 'server',
        name: 'eng/files',
        changes: [expect.objectContaining({ path: 'transport.args' })],
      },
      {
        action: 'update',
        kind: 'server',
        name: 'eng/internal-db',
        changes: [{ path: 'auth.headers.Authorization', from: '[secret]', to: '[secret]' }],
      },
    ])
    expect(audit.events.map(event => `${event.action} ${event.target}`)).toEqual([
      'manifest.update user:ana@x.io',
      'manifest.update group:eng',
      'manifest.update eng/files',
      'manifest.update eng/internal-db',
      'manifest.apply manifest',
    ])
    expect(JSON.stringify([outcome, audit.events])).not.toMatch(/-secret-/)
  })

  it('does nothing in a dry run, and meets in it what an application would', async () => {
    const { apply, export: exportAll, audit, database } = await house()
    const revision = await database.revision()
    const dry = await apply(whole, { dryRun: true })
    expect(dry.applied).toBe(false)
    expect([await exportAll(), audit.events, await database.revision()]).toEqual(['{}\n', [], revision])
    expect(lines(dry)).toEqual(lines(await apply(whole)))
    const lastAdmin = 'users: [{ email: boss@x.io, role: member }]'
    for (const dryRun of [true, false])
      await expect(apply(lastAdmin, { dryRun })).rejects.toMatchObject({
        code: 'http.conflict',
        why: expect.stringContaining('last admin'),
      })
  })

  it('is all or nothing', async () => {
    const { apply, export: exportAll, audit } = await house()
    await apply(whole)
    const before = await exportAll()
    await expect(apply('groups: [{ name: new }]\nusers: [{ email: boss@x.io }]')).rejects.toMatchObject({
      code: 'http.conflict',
    })
    audit.broken = true
    await expect(apply('groups: [{ name: new }]')).rejects.toThrow('disk full')
    expect(await exportAll()).toBe(before)
  })

  it('hands the last admin role over', async () => {
    const { apply } = await house()
    await apply(whole)
    const outcome = await apply(
      'users: [{ email: boss@x.io, role: member }, { email: zoe@x.io, role: admin }]',
    )
    expect(lines(outcome)).toEqual(['update user boss@x.io', 'create user zoe@x.io'])
  })

  describe('pruning', () => {
    it('removes what is not named, only when asked, only in sections that are there', async () => {
      const { apply } = await house()
      await apply(whole)
      const fewer = 'groups: [{ name: eng }]\nservers: []\nteams: []'
      expect(changing(await apply(fewer, { dryRun: true }))).toEqual(['update group eng'])
      expect(lines(await apply(fewer, { prune: true }))).toEqual([
        'update group eng',
        'delete server eng/everything',
        'delete server eng/files',
        'delete server eng/internal-db',
        'delete team engineering',
      ])
      expect(lines(await apply('groups: []\nvirtualAccounts: []', { prune: true }))).toEqual([
        'delete group eng',
        'delete virtualAccount nightly',
      ])
    })

    it('takes what names the removed with them, and keeps nobody for a later one of that name', async () => {
      const { apply, ask, access } = await house()
      await apply(whole)
      const subjects = ['user:gone@x.io', 'team:gone', 'account:gone']
      await apply('users: [{ email: gone@x.io }]\nteams: [{ name: gone }]\nvirtualAccounts: [{ name: gone }]')
      for (const subject of subjects) {
        await ask('POST /groups/eng/grants', { subject })
        await ask(`PUT /groups/eng/managers/${subject}`)
      }
      const kept =
        'users: [{ email: boss@x.io, role: admin }, { email: ana@x.io }]\nteams: [{ name: engineering }]'
      const people = `${kept}\nvirtualAccounts: [{ name: nightly, owner: "user:ana@x.io" }]`
      await apply(people, { prune: true })
      const left = access.group('eng')
      expect(left?.grants.filter(({ subject }) => subjects.includes(subject))).toEqual([])
      expect(left?.managers).toEqual(['team:engineering', 'user:lead@x.io'])
    })

    it('does not give to users whom it removes', async () => {
      const { apply } = await house()
      await apply(whole)
      const text =
        'users: [{ email: boss@x.io, role: admin }]\nteams: []\nvirtualAccounts: []\ngroups: [{ name: eng, access: [{ subject: "user:ana@x.io" }] }]'
      expect(await problemsOf(apply(text, { prune: true }))).toMatchObject([
        { path: 'groups[0].access[0].subject', value: '"user:ana@x.io"' },
      ])
      await apply(text.replace('ana@x.io', 'later@x.io'), { prune: true })
    })

    it('never removes whoever applies, nor the admins when none is named', async () => {
      const { apply } = await house()
      await apply(whole)
      await apply('users: [{ email: second@x.io, role: admin }]')
      const none = 'users: [{ email: ana@x.io }]'
      expect(changing(await apply(none, { prune: true, dryRun: true }))).toEqual([])
      const other = 'users: [{ email: third@x.io, role: admin }, { email: ana@x.io }]'
      expect(changing(await apply(other, { prune: true }, boss))).toEqual([
        'create user third@x.io',
        'delete user second@x.io',
      ])
    })

    it('refuses to remove what others still need', async () => {
      const { apply } = await house()
      await apply(whole)
      await expect(apply('groups: []', { prune: true, dryRun: true })).rejects.toMatchObject({
        code: 'http.conflict',
        why: 'The group eng still has 3 servers.',
      })
      const problems = await problemsOf(
        apply('teams: []\ngroups: [{ name: eng, managers: [team:engineering] }]', { prune: true }),
      )
      expect(problems.map(problem => problem.why)).toEqual(['There is no team engineering.'])
    })
  })

  it('leaves out of exports what points at nothing any more', async () => {
    const { ask, apply, export: exportAll } = await house()
    await apply(whole)
    await ask('DELETE /servers/eng/files')
    await ask('DELETE /teams/engineering')
    await ask('DELETE /accounts/nightly')
    const [group] = parse(await exportAll()).groups
    expect(group).toEqual({
      name: 'eng',
      description: 'Engineers',
      managers: ['user:lead@x.io'],
      access: [{ subject: 'everyone', tools: 'readOnly' }],
    })
    expect(changing(await apply(await exportAll(), { prune: true }))).toEqual([])
  })

  it('reports names of nobody, twins, missing secrets and refused servers, all at once', async () => {
    const { apply } = await house()
    await apply(whole)
    const problems = await problemsOf(
      apply(
        `teams:
  - name: engineering
    members: [ana@x.io, an@x.io]
  - name: engineering
groups:
  - name: eng
    managers: [team:enginering, user:later@x.io]
    access:
      - { subject: account:nobody, servers: [fils] }
servers:
  - group: eng
    name: a
    transport: { kind: stdio, command: /bin/sh, args: [-c, id] }
  - group: en
    name: b
    transport: { kind: sse, url: "https://u:p@x.example.com/sse" }
  - group: eng
    name: c
    transport: { kind: sse, url: "https://x.example.com/sse" }
    auth: { kind: headers, headers: { X-Key: "\${env:MISSING}" } }
  - group: eng
    name: d
    transport: { kind: sse, url: "https://x.example.com/sse" }
    auth: { kind: headers, headers: { Host: x } }
`,
      ),
    )
    expect(problems.map(({ line, path, code, fix }) => [line, path, code, fix])).toEqual([
      [3, 'teams[0].members[1]', 'manifest.invalid', 'Did you mean ana@x.io?'],
      [4, 'teams[1]', 'manifest.invalid', 'Keep one of them.'],
      [7, 'groups[0].managers[0]', 'manifest.invalid', 'Did you mean engineering?'],
      [9, 'groups[0].access[0].subject', 'manifest.invalid', expect.any(String)],
      [9, 'groups[0].access[0].servers[0]', 'manifest.invalid', 'Did you mean files?'],
      [13, 'servers[0].transport', 'upstream.command_refused', expect.any(String)],
      [14, 'servers[1].group', 'manifest.invalid', 'Did you mean eng?'],
      [16, 'servers[1].transport.url', 'upstream.address_refused', expect.any(String)],
      [20, 'servers[2].auth', 'vault.secret_missing', expect.any(String)],
      [24, 'servers[3].auth', 'vault.header_refused', expect.any(String)],
    ])
    expect(problems.find(({ code }) => code === 'vault.secret_missing')?.why).toContain('env:MISSING')
  })

  it('is for admins; auditors may read it, members may not', async () => {
    const { ask } = await house()
    const forbidden = { code: 'identity.forbidden' }
    const auditor = person('watch@x.io', { role: 'auditor' })
    await expect(ask('POST /manifest', { manifest: '' }, auditor)).rejects.toMatchObject(forbidden)
    await expect(ask('GET /manifest', undefined, person('bo@x.io'))).rejects.toMatchObject(forbidden)
    expect(await ask('GET /manifest', undefined, auditor)).toEqual({ manifest: '{}\n' })
  })
})
