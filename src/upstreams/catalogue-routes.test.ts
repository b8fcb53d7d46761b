import { expect, it } from 'vitest'
import { ask } from '../../test/fixtures/ask.ts'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openRooms, person } from '../../test/fixtures/rooms.ts'
import type { Catalogue } from './catalogue.ts'
import { catalogueRoutes } from './catalogue-routes.ts'

const admin = person('admin@x', { role: 'admin' })
const auditor = person('auditor@x', { role: 'auditor' })
const lead = person('lead@x')
const ana = person('ana@x')

onEachDatabase(open => {
  async function house() {
    const rooms = await openRooms(await open())
    await rooms.ask('POST /groups', { name: 'eng', managers: ['user:lead@x'] }, admin)
    await rooms.ask('POST /groups/eng/grants', { subject: 'user:ana@x' }, admin)
    const transport = { kind: 'stdio', command: 'node', args: ['server.js'] }
    await rooms.ask('POST /servers', { group: 'eng', name: 'files', transport }, admin)
    const read: string[] = []
    const catalogue = {
      facts: () => undefined,
      items: () => [],
      sync: async ({ name }) => {
        read.push(name)
        throw new Error('nothing is there to be read')
      },
    } satisfies Partial<Catalogue> as unknown as Catalogue
    const { register, access, vault } = rooms
    const { authSchema, equip } = vault
    const routes = catalogueRoutes({
      composedTools: () => [],
      ...{ register, access, catalogue, authSchema, equip },
      probe: async () => ({ ok: true, steps: [] }),
    })
    const tools = (caller: typeof ana) =>
      ask(routes, 'GET /servers/eng/files/tools', { caller, body: undefined })
    return { read, tools }
  }

  it('starts an unread server for those who may use it or run it, and for nobody who only looks', async () => {
    const { read, tools } = await house()
    for (const caller of [auditor, lead])
      expect(await tools(caller)).toEqual({ items: [], why: 'The server has not been read yet.' })
    expect(read).toEqual([])
    for (const caller of [ana, admin]) await expect(tools(caller)).rejects.toThrow('nothing is there')
    expect(read).toEqual(['files', 'files'])
  })
})
