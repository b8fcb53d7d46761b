import { expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { handClock, memoryAudit } from '../../test/fixtures/identity.ts'
import { openRooms } from '../../test/fixtures/rooms.ts'
import type { Database } from '../database/index.ts'
import type { JsonObject } from '../foundation/json.ts'
import { silentLog } from '../foundation/log.ts'
import { storeReading } from './catalogue-table.ts'
import { definitionHash } from './definition-hash.ts'
import { listedTools } from './observed-tools.ts'
import { openPins } from './pins.ts'
import { readPins, writePins } from './pins-table.ts'
import type { CatalogueItem } from './read-catalogue.ts'
import { ToolWatch } from './tool-watch.ts'
import type { ToolPolicy, Upstream } from './upstream.ts'

const work = { name: 'work', description: 'Works.' }
const evil = { name: 'work', description: 'Works for somebody else.' }

function item(definition: JsonObject): CatalogueItem {
  const text = JSON.stringify(definition)
  return {
    kind: 'tool',
    name: String(definition.name),
    definition: text,
    hash: definitionHash(text, definition),
  }
}

function listOf(...tools: readonly JsonObject[]) {
  return listedTools(Buffer.from(JSON.stringify({ result: { tools } })), tools)
}

onEachDatabase((open, _, newPlace) => {
  /** A registered server in a database that is there. */
  async function server(
    database: Database,
    transport: JsonObject = { kind: 'stdio', command: 'node', args: ['a.js'] },
  ) {
    const rooms = await openRooms(database)
    await rooms.ask('POST /groups', { name: 'lab' })
    await rooms.ask('POST /servers', { group: 'lab', name: 'work', transport })
    const upstream = rooms.register.find('lab', 'work')
    if (upstream === undefined) throw new Error('it is registered')
    return upstream
  }

  /** What one process knows. */
  async function watching(database: Database, mostTools = 100) {
    const audit = memoryAudit()
    const clock = handClock()
    const pins = await openPins({ database, audit, log: silentLog })
    const watch = new ToolWatch({ pins, clock, mostTools })
    const reading = async (upstream: Upstream, ...tools: readonly JsonObject[]) => {
      const items = tools.map(item)
      const hasNews = await watch.reading(upstream, items)
      const facts = {
        serverId: upstream.id,
        eras: [],
        erasUntil: 0,
        checkedAt: 1,
        warnings: [],
        serverName: '',
      }
      await storeReading(database, facts, items)
      return hasNews
    }
    return { audit, pins, watch, reading }
  }

  const under = (upstream: Upstream, policy: Partial<ToolPolicy>): Upstream => ({
    ...upstream,
    policy: { ...upstream.policy, ...policy },
  })

  it('approves what a server has at its first reading, and remembers it', async () => {
    const database = await open()
    const upstream = await server(database)
    const { pins, watch, reading, audit } = await watching(database)
    expect([await reading(upstream, work), await reading(upstream, work)]).toEqual([true, false])
    expect(pins.of(upstream.id, 'work')?.approved?.by).toBe('first reading')
    expect(audit.events).toEqual([])
    const later = await watching(database)
    await later.reading(upstream, evil)
    expect([later.watch.held(upstream.id, 'work'), watch.held(upstream.id, 'work')]).toEqual([
      expect.stringContaining('not the one that was approved'),
      undefined,
    ])
    expect(later.audit.events).toMatchObject([
      {
        who: { kind: 'nobody' },
        action: 'upstreams.hold_tool',
        target: 'lab/work',
        detail: { tool: 'work' },
      },
    ])
    expect(await pins.refresh()).toEqual([upstream.id])
    expect(watch.held(upstream.id, 'work')).toContain('not the one that was approved')
  })

  it('of two processes that read a server first keeps one reading', async () => {
    const place = await newPlace()
    const upstream = await server(await open(place))
    const [first, second] = [await watching(await open(place)), await watching(await open(place))]
    await first.reading(upstream, work)
    await second.reading(upstream, evil)
    expect(first.watch.held(upstream.id, 'work')).toBeUndefined()
    expect(second.watch.held(upstream.id, 'work')).toContain('not the one that was approved')
  })

  it('lets what a person decided stand against what was noted meanwhile', async () => {
    const database = await open()
    const upstream = under(await server(database), { changes: 'accept' })
    const { pins, watch, reading } = await watching(database)
    await reading(upstream, work)
    watch.seen(upstream, listOf(evil))
    expect(watch.held(upstream.id, 'work')).toBeUndefined()
    const [pin] = await readPins(database.kysely, upstream.id)
    if (pin === undefined) throw new Error('it is pinned')
    const byHand = { ...pin, held: { reason: 'hand', at: 1, by: 'lead@x' } } as const
    await database.change(tx => writePins(tx, upstream.id, [byHand]))
    await pins.save()
    expect(watch.held(upstream.id, 'work')).toContain('A manager of the group holds it')
    expect(await readPins(database.kysely, upstream.id)).toMatchObject([
      { approved: { hash: item(work).hash } },
    ])
  })

  it('goes on holding what could not be stored, and stores it when it can', async () => {
    const database = await open()
    const upstream = await server(database)
    const { pins, watch, reading, audit } = await watching(database)
    await reading(upstream, work)
    audit.broken = true
    watch.seen(upstream, listOf(evil))
    await expect(pins.save()).rejects.toThrow('disk full')
    expect(watch.held(upstream.id, 'work')).toBeDefined()
    expect((await readPins(database.kysely, upstream.id))[0]?.held).toBeUndefined()
    audit.broken = false
    await pins.save()
    expect((await readPins(database.kysely, upstream.id))[0]?.held).toMatchObject({ reason: 'changed' })
  })

  it('takes what servers had before there were pins for their first reading', async () => {
    const database = await open()
    const upstream = await server(database)
    const { pins, watch } = await watching(database)
    await watch.begin([upstream], () => [item(work)])
    expect(pins.of(upstream.id, 'work')?.approved?.by).toBe('first reading')
  })

  it('does not let a process of one caller vouch for that of another', async () => {
    const database = await open()
    const transport = { kind: 'stdio', command: 'node', args: ['a.js'], instance: 'per-user' }
    const upstream = await server(database, transport)
    const { watch, reading } = await watching(database)
    await reading(upstream, work)
    expect(watch.seen(upstream, listOf(evil)).hasNews).toBe(true)
    await reading(upstream, work)
    expect(watch.held(upstream.id, 'work')).toBeDefined()
  })

  it('asks to read a server that shows what was approved of a held tool', async () => {
    const database = await open()
    const upstream = await server(database)
    const { watch, reading } = await watching(database)
    await reading(upstream, work)
    watch.seen(upstream, listOf(evil))
    expect(watch.seen(upstream, listOf(work))).toMatchObject({ hasNews: false, isWorthReading: true })
    expect(watch.held(upstream.id, 'work')).toBeDefined()
    await reading(upstream, work)
    expect(watch.held(upstream.id, 'work')).toBeUndefined()
  })

  it('looks into so many changes at once, and into the others the next time', async () => {
    const database = await open()
    const upstream = await server(database)
    const { watch, reading } = await watching(database, 200)
    const tools = Array.from({ length: 130 }, (_, at) => ({ name: `tool-${at}`, description: 'Works.' }))
    const wider = tools.map(tool => ({ ...tool, outputSchema: { type: 'object' } }))
    const held = () => tools.filter(({ name }) => watch.held(upstream.id, name) !== undefined).length
    await reading(upstream, ...tools)
    await reading(upstream, ...wider)
    expect(held()).toBe(30)
    await reading(upstream, ...wider)
    expect(held()).toBe(0)
  })

  it('remembers of a server that never stops so much as it must, and holds the rest', async () => {
    const database = await open()
    const upstream = await server(database)
    const { watch, pins, reading } = await watching(database, 5)
    await reading(upstream, work)
    const tools = Array.from({ length: 150 }, (_, at) => ({ name: `tool-${at}`, description: 'Works.' }))
    watch.seen(upstream, listOf(...tools))
    await pins.save()
    const held = tools.filter(({ name }) => watch.held(upstream.id, name) !== undefined)
    expect([pins.all(upstream.id).size, held.length]).toEqual([10, 150 - 9 - 100])
    watch.seen(upstream, listOf({ name: 'tool-20', description: 'Another.' }))
    expect(watch.held(upstream.id, 'tool-20')).toContain('not the one that was approved')
  })

  it.each(['x'.repeat(300), 'nul\0', '\ud800', '__proto__'])(
    'holds what it cannot keep the name of: %j',
    async name => {
      const database = await open()
      const upstream = await server(database)
      const { watch, pins, reading } = await watching(database)
      await reading(upstream, work)
      watch.seen(upstream, listOf({ name, description: 'Works.' }))
      await pins.save()
      expect(watch.held(upstream.id, name)).toBeDefined()
      expect([...pins.all(upstream.id).keys()]).toEqual(['work'])
    },
  )

  it('holds what is nested too deeply to be compared', async () => {
    const database = await open()
    const upstream = await server(database)
    const { watch, pins, reading } = await watching(database)
    await reading(upstream, work)
    const text = `{"result":{"tools":[{"name":"work","a":${'['.repeat(5000)}${']'.repeat(5000)}}]}}`
    watch.seen(upstream, listedTools(Buffer.from(text), JSON.parse(text).result.tools))
    await pins.save()
    expect(watch.held(upstream.id, 'work')).toContain('Something in its definition')
  })

  it('holds what a lockfile approved otherwise before the server was read', async () => {
    const database = await open()
    const upstream = under(await server(database), { changes: 'accept' })
    const { hash, definition: text } = item(work)
    const approved = { hash, text, by: 'lockfile: lead@x', at: 1 }
    await database.change(tx => writePins(tx, upstream.id, [{ name: 'work', approved }]))
    const { watch, reading } = await watching(database)
    const more = { name: 'more', description: 'Works.' }
    watch.seen(upstream, listOf(more))
    expect(watch.held(upstream.id, 'more')).toContain('The lockfile')
    await reading(upstream, evil, more)
    expect(['work', 'more'].map(name => watch.held(upstream.id, name))).toEqual([
      expect.stringContaining('The lockfile'),
      expect.stringContaining('The lockfile'),
    ])
    await reading(upstream, work, more)
    expect(watch.held(upstream.id, 'work')).toBeUndefined()
    expect(watch.held(upstream.id, 'more')).toContain('The lockfile')
  })
})
