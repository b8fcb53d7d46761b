import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { type OpenRooms, openRooms, person } from '../../test/fixtures/rooms.ts'
import type { PlanEntry, Problem } from './index.ts'

type Outcome = { plan: PlanEntry[]; applied: boolean }

const base = `
teams: [{ name: crew }]
groups:
  - name: eng
    access: [{ subject: "team:crew", servers: [safe] }]
servers:
  - { group: eng, name: files, transport: { kind: streamable-http, url: "https://files.example.com/mcp" } }
  - { group: eng, name: echo, transport: { kind: streamable-http, url: "https://echo.example.com/mcp" } }
`
const bare = base.replace(', servers: [safe]', '')
const whole = `${base}
virtualServers:
  - group: eng
    name: safe
    description: What is safe
    instructions: Be brief.
    access: [{ subject: everyone }]
    sources:
      - server: eng/files
        tools: [read_*]
      - server: eng/echo
        tools:
          - name: echo
            as: say_back
            arguments: { message: { description: what to repeat }, locale: { value: en, hidden: true } }
`

const tool = (name: string, properties: object = {}) => ({
  kind: 'tool' as const,
  name,
  hash: '',
  definition: JSON.stringify({ name, inputSchema: { type: 'object', properties } }),
})

const publications = async ({ ask }: OpenRooms) =>
  (
    await ask<{ items: { number: number; by: string }[] }>('GET /virtual-servers/eng/safe/publications')
  ).items.map(({ number }) => number)

const changed = (text: string) => text.replace('[read_*]', '[read_*, list]').replace('say_back', 'repeat')

onEachDatabase(open => {
  async function house() {
    const rooms = await openRooms(await open())
    const apply = (manifest: string, options: { dryRun?: boolean; prune?: boolean } = {}) =>
      rooms.ask<Outcome>('POST /manifest', { manifest, ...options })
    return {
      ...rooms,
      apply,
      changing: async (...given: Parameters<typeof apply>) =>
        (await apply(...given)).plan.filter(({ action }) => action !== 'keep'),
      problems: (...given: Parameters<typeof apply>) =>
        apply(...given).then(
          () => [],
          error => error.data.problems as Problem[],
        ),
      export: async () => (await rooms.ask<{ manifest: string }>('GET /manifest')).manifest,
    }
  }
  const named = (entries: readonly PlanEntry[]) =>
    entries.map(({ action, kind, name }) => `${action} ${kind} ${name}`)

  it('are made and served at once, over servers of the same manifest, and the second time nothing is', async () => {
    const here = await house()
    here.audit.events.length = 0
    const first = await here.changing(whole)
    expect(named(first).slice(-3)).toEqual([
      'create server eng/echo',
      'create server eng/files',
      'create virtualServer eng/safe',
    ])
    expect(here.audit.events.map(({ action, target }) => `${action} ${target}`)).toContain(
      'manifest.create eng/safe',
    )
    const served = here.servers.find('eng', 'safe')
    expect(served).toMatchObject({ description: 'What is safe', instructions: 'Be brief.' })
    const policy = { default: 'allow', allow: [], deny: [] } as const
    const may = (who: ReturnType<typeof person>) =>
      here.access.clear(who, 'server.use', { group: 'eng', server: 'safe', policy }).allowed
    expect(may(person('bo@x.io'))).toBe(true)
    expect(await here.changing(whole)).toEqual([])
    expect(await publications(here)).toEqual([1])
    here.offer('eng/echo', [tool('echo', { message: {} })])
    here.offer('eng/files', [tool('read_text'), tool('write')])
    const preview = await here.ask<{ items: { name: string }[] }>('GET /virtual-servers/eng/safe/preview')
    expect(preview.items.map(({ name }) => name)).toEqual(['say_back', 'read_text'])
  })

  it('show what changes, part by part; order means nothing, and a dry run publishes nothing', async () => {
    const here = await house()
    await here.apply(whole)
    const [entry] = await here.changing(changed(whole), { dryRun: true })
    expect(entry).toEqual({
      action: 'update',
      kind: 'virtualServer',
      name: 'eng/safe',
      changes: [
        { path: 'sources.eng/echo.tools.echo.as', from: 'say_back', to: 'repeat' },
        { path: 'sources.eng/files.tools.list', to: {} },
      ],
    })
    expect(await publications(here)).toEqual([1])
    await here.apply(changed(whole))
    expect(await publications(here)).toEqual([2, 1])
    expect(await here.changing(changed(whole).replace('[read_*, list]', '[list, read_*]'))).toEqual([])
  })

  it('change description and access without a publication', async () => {
    const here = await house()
    await here.apply(whole)
    const other = whole
      .replace('What is safe', 'Safe')
      .replace('{ subject: everyone }', '{ subject: "team:crew" }')
    const [entry] = await here.changing(other)
    expect(entry?.changes.map(({ path }) => path)).toEqual(['access', 'description'])
    expect(await publications(here)).toEqual([1])
    expect(await here.changing(other)).toEqual([])
    expect(here.servers.find('eng', 'safe')?.description).toBe('Safe')
  })

  it('leave a draft alone until what is served changes, and say that it is lost then', async () => {
    const here = await house()
    await here.apply(whole)
    await here.ask('PUT /virtual-servers/eng/safe/draft', {
      description: 'What is safe',
      access: [{ subject: 'everyone' }],
      sources: [{ server: 'eng/files' }],
    })
    const hasDraft = async () =>
      (await here.ask<{ hasDraft: boolean }>('GET /virtual-servers/eng/safe')).hasDraft
    expect(await here.changing(whole)).toEqual([])
    expect(await here.changing(await here.export(), { prune: true })).toEqual([])
    expect(await hasDraft()).toBe(true)
    await here.ask('POST /virtual-servers/eng/safe/roll-back', { number: 1 })
    expect(await hasDraft()).toBe(true)
    const [entry] = await here.changing(changed(whole))
    expect(entry?.changes.at(-1)).toEqual({
      path: 'draft',
      from: 'written and not published',
      to: 'replaced by what the manifest says',
    })
    expect(await hasDraft()).toBe(false)
  })

  it('that were never published are published when named, and otherwise left alone', async () => {
    const here = await house()
    await here.apply(bare)
    await here.ask('PUT /virtual-servers/eng/safe/draft', { sources: [{ server: 'eng/files' }] })
    expect(parse(await here.export()).virtualServers).toBeUndefined()
    expect(await here.changing(`${await here.export()}\nvirtualServers: []`, { prune: true })).toEqual([])
    const entry = (await here.changing(whole)).find(({ kind }) => kind === 'virtualServer')
    expect(entry).toMatchObject({ action: 'update', name: 'eng/safe' })
    expect(await publications(here)).toEqual([1])
  })

  it('are exported so that applying it changes nothing, here or elsewhere', async () => {
    const here = await house()
    await here.apply(whole)
    const text = await here.export()
    expect(parse(text).virtualServers).toEqual(parse(whole).virtualServers)
    expect(parse(text).groups).toEqual(parse(base).groups)
    expect(await here.changing(text, { prune: true })).toEqual([])
    const there = await house()
    await there.apply(text)
    expect(await there.export()).toBe(text)
  })

  it('are pruned before what they are made of', async () => {
    const here = await house()
    await here.apply(whole)
    const none = 'groups: []\nservers: []\nvirtualServers: []'
    expect(named(await here.changing(none, { prune: true }))).toEqual([
      'delete virtualServer eng/safe',
      'delete server eng/echo',
      'delete server eng/files',
      'delete group eng',
    ])
    expect(here.servers.find('eng', 'safe')).toBeUndefined()
  })

  describe('are refused', () => {
    it('with names of nobody, at their lines', async () => {
      const here = await house()
      await here.apply(whole)
      const text = `servers:
  - { group: eng, name: new, transport: { kind: sse, url: "https://new.example.com/sse" } }
virtualServers:
  - group: en
    name: one
    access: [{ subject: "team:crw" }]
    sources:
      - server: eng/fils
      - server: eng/new
  - group: eng
    name: two
    sources:
      - server: eng/safe
  - group: eng
    name: files
    sources: [{ server: eng/echo }]
`
      expect((await here.problems(text)).map(({ line, path, fix }) => [line, path, fix])).toEqual([
        [4, 'virtualServers[0].group', 'Did you mean eng?'],
        [6, 'virtualServers[0].access[0].subject', 'Did you mean crew?'],
        [8, 'virtualServers[0].sources[0].server', 'Did you mean eng/files?'],
        [13, 'virtualServers[1].sources[0].server', 'Name the servers that it is made of.'],
        [15, 'virtualServers[2].name', 'Take another name for one of them.'],
      ])
      const taken = await here.problems(
        `servers: [{ group: eng, name: safe, transport: { kind: sse, url: "https://x.io/sse" } }]`,
      )
      expect(taken).toMatchObject([
        { path: 'servers[0].name', why: 'eng/safe is the name of a virtual server.' },
      ])
    })

    it('when what was read of their sources clashes or is not there', async () => {
      const here = await house()
      await here.apply(bare)
      here.offer('eng/echo', [tool('echo', { message: {} })])
      here.offer('eng/files', [tool('read_text')])
      const text = `virtualServers:
  - group: eng
    name: one
    sources:
      - server: eng/files
        tools: [{ name: read_text, as: same }]
      - server: eng/echo
        tools: [{ name: echo, as: same, arguments: { mesage: { default: 1 } } }, shout]
`
      expect((await here.problems(text)).map(({ code, line, path, why }) => [code, line, path, why])).toEqual(
        [
          [
            'servers.name_clash',
            2,
            'virtualServers[0]',
            '"same" would be eng/files read_text and eng/echo echo.',
          ],
          [
            'servers.bad_choice',
            7,
            'virtualServers[0].sources[1]',
            'eng/echo echo takes no argument mesage.',
          ],
          ['servers.bad_choice', 7, 'virtualServers[0].sources[1]', 'eng/echo shout chooses nothing.'],
        ],
      )
      // At another place nothing is known of it any more.
      const moved = `servers: [{ group: eng, name: echo, transport: { kind: sse, url: "https://new.example.com/sse" } }]`
      const later = `${moved}\n${text.replace('name: read_text, as: same', 'name: read_text')}`
      expect(named(await here.changing(later))).toEqual([
        'update server eng/echo',
        'create virtualServer eng/one',
      ])
    })

    it('when their sources would be pruned', async () => {
      const here = await house()
      await here.apply(whole)
      expect(await here.problems('groups: [{ name: eng }]\nservers: []', { prune: true })).toMatchObject([
        {
          line: 2,
          path: 'servers',
          why: expect.stringContaining('eng/files, which the virtual server eng/safe'),
        },
        {
          line: 2,
          path: 'servers',
          why: expect.stringContaining('eng/echo, which the virtual server eng/safe'),
        },
      ])
      const named = whole.slice(whole.indexOf('virtualServers'))
      expect(await here.problems(`${named}servers: []`, { prune: true })).toMatchObject([
        { path: 'virtualServers[0].sources[0].server' },
        { path: 'virtualServers[0].sources[1].server' },
      ])
    })
  })

  it('may be named by policies and by grants of their group', async () => {
    const here = await house()
    await here.apply(`${whole}
policies:
  - name: no-safe
    text: 'forbid (principal, action, resource in Server::"eng/safe");'
`)
    expect(await here.changing(await here.export(), { prune: true })).toEqual([])
    const problems = await here.problems(
      `policies: [{ name: wrong, text: 'forbid (principal, action, resource in Server::"eng/saf");' }]`,
    )
    expect(problems).toMatchObject([{ path: 'policies[0].text', fix: 'Did you mean eng/safe?' }])
  })

  it('may be made of servers that nobody has reached yet, all in one manifest', async () => {
    const here = await house()
    const text = `users:
  - { email: ana@example.com, role: member }
teams:
  - { name: engineering, members: [ana@example.com] }
virtualAccounts:
  - { name: nightly-agent, owner: "user:ana@example.com" }
groups:
  - name: engineering
    managers: [user:lead@example.com]
    access:
      - subject: team:engineering
      - { subject: "account:nightly-agent", servers: [files], tools: [read_text_file, list_*] }
servers:
  - group: engineering
    name: everything
    transport: { kind: streamable-http, url: "http://localhost:3001/mcp", allowPrivateNetwork: true }
    auth: { kind: none }
  - group: engineering
    name: files
    transport: { kind: stdio, command: npx, args: [-y, "@modelcontextprotocol/server-filesystem@2026.8.31", /srv/files] }
    tools: { default: allow, deny: [write_file, edit_file, move_file] }
virtualServers:
  - group: engineering
    name: safe-dev
    access: [{ subject: everyone }]
    sources:
      - server: engineering/files
        tools: [read_text_file, list_directory]
      - server: engineering/everything
        tools:
          - name: echo
            as: say_back
            description: Repeats a message
            arguments: { message: { description: what to repeat }, locale: { value: en, hidden: true } }
`
    expect(named(await here.changing(text)).at(-1)).toBe('create virtualServer engineering/safe-dev')
    here.offer('engineering/everything', [tool('echo', { message: {} })])
    const more = text.replace('Repeats a message', 'Says it again')
    expect(named(await here.changing(more))).toEqual(['update virtualServer engineering/safe-dev'])
    expect(parse(await here.export()).virtualServers).toEqual(parse(more).virtualServers)
  })
})
