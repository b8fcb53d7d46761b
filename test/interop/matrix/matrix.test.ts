/** The libraries of the matrix against every server: what the committed results call good has to be good still. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clients } from './clients/index.ts'
import { features } from './features.ts'
import { type Lab, openLab } from './lab.ts'
import { isGood, readResults } from './results.ts'
import { servers } from './servers.ts'

const INSTALLING_MS = 10 * 60_000
const VISITING_MS = 5 * 60_000

const committed = readResults()
const libraries = clients.filter(({ kind }) => kind === 'library')

describe('the committed results', () => {
  it('are of every client, every server and known features', () => {
    expect(Object.keys(committed.clients).sort()).toEqual(clients.map(({ name }) => name).sort())
    expect(Object.keys(committed.servers)).toEqual(servers.map(({ name }) => name))
    for (const client of Object.values(committed.clients)) {
      expect(Object.keys(client.cells)).toEqual(servers.map(({ name }) => name))
      const tried = Object.values(client.features).flatMap(one => Object.keys(one))
      expect(features).toEqual(expect.arrayContaining(tried))
    }
  })
})

describe('every pair that was good', () => {
  let lab: Lab
  beforeAll(async () => {
    for (const client of libraries) await client.install()
    lab = await openLab(libraries, [])
  }, INSTALLING_MS)
  afterAll(() => lab?.stop())

  it.each(libraries)(
    'still is, with $title',
    async client => {
      const { version, cells } = await lab.visit(client)
      expect(version).toBe(committed.clients[client.name]?.version)
      const lost = Object.entries(committed.clients[client.name]?.cells ?? {})
        .filter(([, cell]) => isGood(cell))
        .map(([server]) => ({ server, ...cells[server] }))
        .filter(({ connect, list, call }) => !(connect && list && call))
      expect(lost).toEqual([])
    },
    VISITING_MS,
  )
})
