import { beforeEach, describe, expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { type OpenRooms, openRooms, person } from '../../test/fixtures/rooms.ts'

type Diff = {
  from: number | 'draft' | null
  to: number | 'draft'
  changes: { sentence: string }[]
  callers: { effect: string; sentence: string; changes: { sentence: string; additive: boolean }[] }[]
  missing: { server: string }[]
  problems: string[]
  why?: string
}

const place = '/virtual-servers/lab/parts'
const tool = (name: string, properties: object = {}) => ({
  kind: 'tool' as const,
  name,
  hash: '',
  definition: JSON.stringify({ name, inputSchema: { type: 'object', properties } }),
})
const manifest = `
groups: [{ name: lab, managers: ["user:owner@x.io"], access: [{ subject: "user:ana@x.io" }] }]
servers:
  - { group: lab, name: echo, transport: { kind: sse, url: "https://echo.example.com/sse" } }
  - { group: lab, name: files, transport: { kind: sse, url: "https://files.example.com/sse" } }
`
const owner = person('owner@x.io')

onEachDatabase(open => {
  let rooms: OpenRooms
  const draft = (sources: unknown) => rooms.ask(`PUT ${place}/draft`, { sources }, owner)
  const publish = () => rooms.ask(`POST ${place}/publish`, {}, owner)
  const diff = (query: Record<string, string> = {}, who = owner) =>
    rooms.ask<Diff>(`GET ${place}/diff`, undefined, who, query)

  beforeEach(async () => {
    rooms = await openRooms(await open())
    await rooms.ask('POST /manifest', { manifest })
    rooms.offer('lab/echo', [tool('echo', { message: { type: 'string' }, n: { type: 'number' } })])
    await draft([{ server: 'lab/echo' }])
  })

  describe('what a publication changes', () => {
    it('is everything where nothing was published yet', async () => {
      expect(await diff()).toMatchObject({
        from: null,
        to: 'draft',
        changes: [{ sentence: 'lab/echo is a source now: everything of it.' }],
        callers: [{ effect: 'appears', sentence: 'The tool echo appears.' }],
        missing: [],
        problems: [],
      })
    })

    it('is said for author and callers, from what is served to the draft', async () => {
      await publish()
      expect(await diff()).toMatchObject({
        from: 1,
        to: 1,
        changes: [],
        why: expect.stringContaining('no draft'),
      })
      await draft([
        { server: 'lab/echo', tools: [{ name: 'echo', arguments: { n: { value: 1 } } }] },
        { server: 'lab/files' },
      ])
      const found = await diff()
      expect(found.changes.map(({ sentence }) => sentence)).toEqual([
        'Of lab/echo it takes the tools echo, before: all tools.',
        'The argument n of echo of lab/echo is always 1.',
        'The argument n of echo of lab/echo is hidden from callers.',
        'Of lab/echo it takes no resources, before: all resources.',
        'Of lab/echo it takes no prompts, before: all prompts.',
        'lab/files is a source now: everything of it.',
      ])
      expect(found.callers).toMatchObject([
        { effect: 'changed', sentence: 'The tool echo is defined otherwise.' },
      ])
      expect(found.callers[0]?.changes.map(({ sentence }) => sentence)).toEqual([
        expect.stringMatching(/argument `n` was removed/i),
      ])
      expect(found.missing).toEqual([{ server: 'lab/files', why: 'It has not been read yet.' }])
    })

    it('is said between any two, and what keeps the later one from being published', async () => {
      await publish()
      await draft([{ server: 'lab/echo', tools: [{ name: 'echo', as: 'say' }] }])
      await publish()
      expect((await diff({ from: '1', to: '2' })).callers).toMatchObject([{ effect: 'renamed', was: 'echo' }])
      const back = await diff({ to: '1' })
      expect([back.from, back.to, back.callers[0]?.sentence]).toEqual([2, 1, 'The tool say is called echo.'])
      rooms.offer('lab/echo', [tool('other')])
      const later = await diff({ from: '1', to: '2' })
      expect(later.problems).toEqual(['lab/echo echo chooses nothing.'])
      expect(later.callers).toMatchObject([{ effect: 'vanishes', sentence: 'The tool other vanishes.' }])
    })

    it('is for those who may read the definition', async () => {
      await expect(diff({}, person('stranger@x.io'))).rejects.toMatchObject({ code: 'access.not_found' })
      await publish()
      await expect(diff({}, person('ana@x.io'))).rejects.toMatchObject({ code: 'identity.forbidden' })
      await expect(diff({ from: '9' })).rejects.toMatchObject({ code: 'http.not_found' })
      await expect(diff({ from: '0' })).rejects.toThrow()
    })
  })

  it('a virtual server is no source of another', async () => {
    await publish()
    await rooms.ask('PUT /virtual-servers/lab/second/draft', { sources: [{ server: 'lab/parts' }] })
    await expect(rooms.ask('POST /virtual-servers/lab/second/publish')).rejects.toMatchObject({
      code: 'servers.bad_choice',
      why: expect.stringContaining('lab/parts is itself virtual'),
    })
  })
})
