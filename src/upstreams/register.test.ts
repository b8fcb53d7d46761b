import { describe, expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openRooms, person } from '../../test/fixtures/rooms.ts'
import { gatewayItself } from './equipped.ts'
import type { ServerInput } from './index.ts'

type Face = { name: string; details?: { version: number; id: string } }
type Items = { items: Face[]; why?: string }

const admin = person('admin@x', { role: 'admin' })
const lead = person('lead@x')
const ana = person('ana@x', { teams: ['eng'] })
const bo = person('bo@x')

const http = { kind: 'streamable-http', url: 'https://db.example.com/mcp' }
const bearer = { kind: 'headers', headers: { Authorization: `Bearer \${env:T}` } }
const db = {
  group: 'eng',
  name: 'db',
  description: 'Rows',
  transport: http,
  auth: bearer,
  secrets: { 'env:T': 'top-secret' },
}
const files = {
  group: 'eng',
  name: 'files',
  transport: {
    kind: 'stdio',
    command: 'npx',
    args: ['-y', 'pkg'],
    env: { LOG: 'info', API_KEY: 'sesame-open' },
  },
}

onEachDatabase(open => {
  async function house() {
    const rooms = await openRooms(await open())
    await rooms.ask('POST /groups', { name: 'eng', managers: ['user:lead@x'] })
    await rooms.ask('POST /groups', { name: 'ops' })
    return rooms
  }

  it('registers a server, finds it at once, and shows its secrets to nobody', async () => {
    const { ask, register, vault } = await house()
    const made = await ask<Face>('POST /servers', db, lead)
    const server = register.find('eng', 'db')
    expect(server).toMatchObject({ group: 'eng', name: 'db', version: 1, id: made.details?.id })
    expect(server && (await vault.equip(server, gatewayItself)).headers).toEqual([
      'Authorization',
      'Bearer top-secret',
    ])
    expect(made).toEqual({
      group: 'eng',
      name: 'db',
      description: 'Rows',
      endpoint: '/mcp/eng/db/server',
      details: {
        id: expect.any(String),
        version: 1,
        transport: { ...http, allowPrivateNetwork: false },
        auth: { kind: 'headers', headers: ['Authorization'] },
        tools: { default: 'allow', allow: [], deny: [] },
        heldTools: 0,
      },
    })
    await ask('POST /servers', files)
    const all = JSON.stringify([await ask('GET /servers'), [...register.list()]])
    expect(all).not.toMatch(/top-secret|sesame-open/)
    expect(await ask('GET /servers/eng/files')).toMatchObject({
      details: { transport: { env: ['LOG', 'API_KEY'] } },
    })
  })

  it('keeps no secret readable in the database', async () => {
    const { ask, database } = await house()
    await ask('POST /servers', db, lead)
    await ask('POST /servers', files)
    const rows = JSON.stringify(await database.kysely.selectFrom('servers').selectAll().execute())
    expect(rows).toContain('LOG')
    expect(rows).not.toMatch(/top-secret|sesame-open/)
  })

  it('shows members what they may use, without how it is reached', async () => {
    const { ask } = await house()
    await ask('POST /servers', db, lead)
    await ask('POST /servers', { ...db, name: 'other' }, lead)
    await ask('POST /groups/eng/grants', { subject: 'team:eng', servers: ['db'] }, lead)
    const face = { group: 'eng', name: 'db', description: 'Rows', endpoint: '/mcp/eng/db/server' }
    expect(await ask('GET /servers', undefined, ana)).toEqual({ items: [face] })
    expect(await ask('GET /servers', undefined, bo)).toEqual({ items: [], why: expect.any(String) })
    const names = async (role: 'admin' | 'auditor') =>
      (await ask<Items>('GET /servers', undefined, person('r@x', { role }))).items.map(
        item => item.details && item.name,
      )
    expect([await names('admin'), await names('auditor')]).toEqual([
      ['db', 'other'],
      ['db', 'other'],
    ])
  })

  it('answers the same for servers that are hidden and servers that are not there', async () => {
    const { ask } = await house()
    await ask('POST /servers', db, lead)
    const missing = await ask('GET /servers/eng/nothing', undefined, bo).catch(error => error)
    expect(missing.code).toBe('access.not_found')
    const lines = [
      'GET /servers/eng/db',
      'PATCH /servers/eng/db',
      'DELETE /servers/eng/db',
      'GET /servers/none/db',
    ]
    for (const line of lines) {
      const hidden = await ask(line, undefined, bo).catch(error => error)
      expect({ ...hidden, message: hidden.message }).toEqual({ ...missing, message: missing.message })
    }
    for (const group of ['ops', 'none']) {
      const refused = await ask('POST /servers', { ...db, group }, lead).catch(error => error)
      expect({ ...refused, message: refused.message }).toEqual({ ...missing, message: missing.message })
    }
  })

  it('lets users of a server not change it', async () => {
    const { ask } = await house()
    await ask('POST /servers', db, lead)
    await ask('POST /groups/eng/grants', { subject: 'team:eng' }, lead)
    for (const line of ['PATCH /servers/eng/db', 'DELETE /servers/eng/db', 'POST /servers'])
      await expect(ask(line, line.startsWith('POST') ? db : {}, ana)).rejects.toMatchObject({
        code: 'identity.forbidden',
      })
  })

  it('raises the version and announces with every change, and with none that changes nothing', async () => {
    const { ask, register, told, audit } = await house()
    const { details } = await ask<Face>('POST /servers', db, lead)
    const before = register.find('eng', 'db')
    audit.events.length = 0
    await ask('PATCH /servers/eng/db', { description: 'Rows', auth: bearer, secrets: db.secrets }, lead)
    expect(register.find('eng', 'db')).toBe(before)
    expect(audit.events).toEqual([])
    await ask('PATCH /servers/eng/db', { auth: bearer, secrets: { 'env:T': 'rotated' } }, lead)
    expect(register.find('eng', 'db')?.version).toBe(2)
    await ask('PATCH /servers/eng/db', { tools: { deny: ['drop_*'] } }, lead)
    expect(register.find('eng', 'db')).toMatchObject({
      version: 3,
      policy: { default: 'allow', deny: ['drop_*'] },
    })
    await ask('DELETE /servers/eng/db', undefined, lead)
    expect(register.find('eng', 'db')).toBeUndefined()
    expect(told).toEqual(Array(4).fill(details?.id))
    expect(audit.events.map(event => [event.action, event.target])).toEqual([
      ['upstreams.update_server', 'eng/db'],
      ['upstreams.update_server', 'eng/db'],
      ['upstreams.remove_server', 'eng/db'],
    ])
    expect(JSON.stringify(audit.events)).not.toContain('rotated')
  })

  it('takes a removed server out of the grants, so that a later one of its name inherits nothing', async () => {
    const { ask, access } = await house()
    await ask('POST /servers', db)
    await ask('POST /servers', { ...db, name: 'other' })
    const grants: [string, string[]][] = [
      ['user:only@x', ['db']],
      ['user:both@x', ['db', 'other']],
    ]
    for (const [subject, servers] of grants) await ask('POST /groups/eng/grants', { subject, servers })
    const may = (email: string, server: string) =>
      access.clear(person(email), 'server.use', {
        group: 'eng',
        server,
        policy: { default: 'allow', allow: [], deny: [] },
      }).allowed
    expect([may('only@x', 'db'), may('both@x', 'db'), may('both@x', 'other')]).toEqual([true, true, true])
    await ask('DELETE /servers/eng/db')
    await ask('POST /servers', db)
    expect([may('only@x', 'db'), may('both@x', 'db'), may('both@x', 'other')]).toEqual([false, false, true])
    expect(may('only@x', 'other')).toBe(false)
  })

  it('notices the changes of other processes, and keeps what they left alone', async () => {
    const { ask, register, told, database } = await house()
    await ask('POST /servers', db)
    await ask('POST /servers', { ...db, name: 'other' })
    const [one, other] = [register.find('eng', 'db'), register.find('eng', 'other')]
    told.length = 0
    await (await openRooms(database)).ask('PATCH /servers/eng/db', { description: 'More rows' })
    await register.refresh()
    expect(told).toEqual([one?.id])
    expect(register.find('eng', 'db')).toMatchObject({ description: 'More rows', version: 2 })
    expect(register.find('eng', 'other')).toBe(other)
  })

  it('refuses names that are taken and groups that still have servers', async () => {
    const { ask } = await house()
    await ask('POST /servers', db)
    await expect(ask('POST /servers', db)).rejects.toMatchObject({ code: 'http.conflict' })
    await ask('POST /servers', { ...db, group: 'ops' })
    await expect(ask('DELETE /groups/eng')).rejects.toMatchObject({
      code: 'http.conflict',
      why: 'The group eng still has a server.',
    })
    await ask('DELETE /servers/eng/db')
    await ask('DELETE /groups/eng')
  })

  describe('what only admins may do', () => {
    const shell = { ...files, transport: { kind: 'stdio', command: '/bin/sh', args: ['-c', 'id'] } }

    it('starting programs: to add, change or try one', async () => {
      const { ask, register } = await house()
      const forbidden = { code: 'identity.forbidden' }
      await expect(ask('POST /servers', shell, lead)).rejects.toMatchObject(forbidden)
      await expect(ask('POST /servers', files, lead)).rejects.toMatchObject(forbidden)
      await ask('POST /servers', files, admin)
      await ask('POST /servers', db, lead)
      await expect(ask('PATCH /servers/eng/db', { transport: files.transport }, lead)).rejects.toMatchObject(
        forbidden,
      )
      await expect(ask('PATCH /servers/eng/files', { description: 'x' }, lead)).rejects.toMatchObject(
        forbidden,
      )
      await expect(ask('PATCH /servers/eng/files', { transport: http }, lead)).rejects.toMatchObject(
        forbidden,
      )
      const server = register.managed(lead, 'eng', 'files')
      expect(() => register.checkRun(lead, server)).toThrow(expect.objectContaining(forbidden))
      expect(() => register.checkRun(admin, server)).not.toThrow()
      expect([...register.list()].map(each => each.version)).toEqual([1, 1])
      await ask('DELETE /servers/eng/files', undefined, lead)
    })

    it('and even they start no shell', async () => {
      const { ask, register } = await house()
      const refused = { code: 'upstream.command_refused' }
      await expect(ask('POST /servers', shell, admin)).rejects.toMatchObject(refused)
      await ask('POST /servers', files, admin)
      await expect(
        ask('PATCH /servers/eng/files', { transport: shell.transport }, admin),
      ).rejects.toMatchObject(refused)
      const env = { NODE_OPTIONS: 'x' }
      const input: ServerInput = {
        group: 'eng',
        name: 'x',
        description: '',
        transport: { kind: 'stdio', command: 'npx', args: [], env, instance: 'shared', idleSeconds: 9 },
        auth: { kind: 'none' },
        tools: { default: 'allow', allow: [], deny: [] },
      }
      expect(() => register.draft(admin, input, {})).toThrow(expect.objectContaining(refused))
    })

    it('opening the private network', async () => {
      const { ask } = await house()
      const transport = {
        kind: 'streamable-http',
        url: 'http://127.0.0.1:3001/mcp',
        allowPrivateNetwork: true,
      }
      await expect(ask('POST /servers', { ...db, transport }, lead)).rejects.toMatchObject({
        code: 'identity.forbidden',
      })
      await ask('POST /servers', { ...db, transport }, admin)
      await ask('PATCH /servers/eng/db', { description: 'still there' }, lead)
      const moved = { ...transport, url: 'http://127.0.0.1:5432/' }
      await expect(
        ask('PATCH /servers/eng/db', { transport: moved, auth: { kind: 'none' } }, lead),
      ).rejects.toMatchObject({ code: 'identity.forbidden' })
    })
  })

  it('carries no credentials over to another site', async () => {
    const { ask, register, vault } = await house()
    await ask('POST /servers', {
      ...db,
      auth: { kind: 'headers', headers: { Authorization: 'Bearer literal' } },
      secrets: {},
    })
    const transport = { kind: 'streamable-http', url: 'https://evil.example.com/mcp' }
    await expect(ask('PATCH /servers/eng/db', { transport }, lead)).rejects.toMatchObject({
      code: 'http.bad_request',
    })
    const placeholder = {
      kind: 'headers',
      headers: { Authorization: `\${env:GATEHOUSE_SECRET_ENG_DB_AUTHORIZATION}` },
    }
    await expect(ask('PATCH /servers/eng/db', { transport, auth: placeholder }, lead)).rejects.toMatchObject({
      code: 'vault.secret_missing',
    })
    const near = { kind: 'streamable-http', url: 'https://db.example.com/v2/mcp' }
    await ask('PATCH /servers/eng/db', { transport: near }, lead)
    const server = register.find('eng', 'db')
    expect(server && (await vault.equip(server, gatewayItself)).headers).toEqual([
      'Authorization',
      'Bearer literal',
    ])
  })

  it('refuses headers for a process, secrets in URLs and references without a value', async () => {
    const { ask } = await house()
    const code = (change: object) =>
      ask('POST /servers', { ...db, ...change }).then(String, error => error.code ?? error.name)
    expect(await code({ transport: files.transport })).toBe('http.bad_request')
    expect(await code({ transport: { ...http, url: 'https://db.example.com/mcp?token=x' } })).toBe(
      'upstream.address_refused',
    )
    expect(await code({ secrets: {} })).toBe('vault.secret_missing')
    expect(await code({ auth: { kind: 'kerberos' } })).toBe('ZodError')
    expect(await code({ name: 'Not A Slug' })).toBe('ZodError')
  })
})
