import { describe, expect, it } from 'vitest'
import { type CatalogueItem, type ItemKind, noAuth, type Upstream } from '../upstreams/index.ts'
import { type ComposeInput, compose, type Offer } from './compose.ts'
import type { Definition } from './definition.ts'

const policy = { default: 'allow', allow: [], deny: [] } as const
const home = { group: 'eng', name: 'safe', policy }

function upstream(place: string): Upstream {
  const [group = '', name = ''] = place.split('/')
  return {
    id: place,
    group,
    name,
    description: '',
    transport: { kind: 'streamable-http', url: 'http://127.0.0.1:9/', allowPrivateNetwork: true },
    auth: noAuth,
    policy: { default: 'allow', allow: [], deny: [] },
    version: 1,
  }
}

const item = (kind: ItemKind, name: string): CatalogueItem => ({
  kind,
  name,
  definition: JSON.stringify(kind === 'tool' || kind === 'prompt' ? { name } : { uri: name }),
  hash: '',
})

function offer(place: string, items: readonly CatalogueItem[], more: Partial<Offer> = {}): Offer {
  const plain = { trouble: undefined, isRead: true, allows: () => true, isReadOnly: () => false }
  return { upstream: upstream(place), items, ...plain, ...more }
}

const files = offer(
  'eng/files',
  [item('tool', 'read'), item('tool', 'write'), item('prompt', 'ask'), item('resource', 'file:///a')],
  { isReadOnly: name => name === 'read' },
)
const db = offer('ops/db', [item('tool', 'query'), item('tool', 'read'), item('template', 'db://{table}')])

function composed(sources: Definition['sources'], more: Partial<ComposeInput> = {}) {
  const offers = new Map([files, db].map(each => [`${each.upstream.group}/${each.upstream.name}`, each]))
  return compose({ definition: { sources }, home, offer: server => offers.get(server), ...more })
}

const shown = ({ composition }: ReturnType<typeof composed>) =>
  composition.items.map(({ kind, name, own }) => `${kind} ${name} ${own}`)

describe('a virtual server', () => {
  it('has everything of a source that names nothing, and only what another names', () => {
    const both = composed([{ server: 'eng/files' }, { server: 'ops/db', tools: ['query'] }])
    expect(shown(both)).toEqual([
      'tool read read',
      'tool write write',
      'tool query query',
      'resource file:///a file:///a',
      'prompt ask ask',
    ])
  })

  it('chooses by annotation, by glob and by name, and what is said of one tool goes first', () => {
    const chosen = composed([
      { server: 'eng/files', tools: 'readOnly' },
      { server: 'ops/db', tools: ['*', { name: 'query', as: 'ask_db', description: 'Asks' }] },
    ])
    expect(shown(chosen)).toEqual(['tool ask_db query', 'tool files__read read', 'tool db__read read'])
    expect(JSON.parse(chosen.composition.find('tool', 'ask_db')?.definition ?? '')).toEqual({
      name: 'ask_db',
      description: 'Asks',
    })
  })

  it('never has what the rule of the source itself denies', () => {
    const strict = offer('eng/files', files.items, { allows: name => name !== 'write' })
    expect(shown(composed([{ server: 'eng/files', tools: 'all' }], { offer: () => strict }))).toEqual([
      'tool read read',
    ])
  })

  it('keeps the names that were published', () => {
    const first = composed([{ server: 'eng/files', tools: 'all' }])
    const later = composed(
      [
        { server: 'ops/db', tools: 'all' },
        { server: 'eng/files', tools: 'all' },
      ],
      { settled: first.settled },
    )
    expect(later.composition.find('tool', 'read')?.source.name).toBe('files')
    expect(later.composition.find('tool', 'db__read')?.source.name).toBe('db')
  })

  it('says what is missing, what clashes and what chose nothing', () => {
    const dead = offer('ops/db', [], { trouble: 'It could not be reached.' })
    const offers = (server: string) =>
      server === 'ops/db' ? dead : server === 'eng/files' || server === 'eng/copy' ? files : undefined
    const sources = [
      { server: 'eng/files', tools: ['read', 'raed'], resources: 'all' as const },
      { server: 'eng/copy', resources: 'all' as const },
      { server: 'ops/db' },
      { server: 'eng/gone' },
    ]
    const { composition, clashes, idle } = composed(sources, { offer: offers })
    expect(composition.missing).toEqual([
      { server: 'ops/db', why: 'It could not be reached.', reason: 'trouble' },
      { server: 'eng/gone', why: 'There is no such server any more.', reason: 'gone' },
      {
        server: 'eng/files file:///a, eng/copy file:///a',
        why: 'They all would be "file:///a", and only what had it before is there.',
        reason: 'clash',
      },
    ])
    expect(clashes).toEqual([{ name: 'file:///a', of: ['eng/files file:///a', 'eng/copy file:///a'] }])
    expect(composition.resource('file:///a')).toBeUndefined()
    expect(idle).toEqual(['eng/files raed'])
  })

  it('keeps the resource that was published when another server has it later, and names both', () => {
    const sources = [{ server: 'eng/files' }, { server: 'ops/db' }]
    const { settled } = composed(sources)
    const thief = offer('ops/db', [...db.items, item('resource', 'file:///a')])
    const later = composed(sources, { settled, offer: server => (server === 'ops/db' ? thief : files) })
    expect(later.composition.resource('file:///a')?.source.name).toBe('files')
    expect(later.composition.missing).toEqual([
      {
        server: 'eng/files file:///a, ops/db file:///a',
        why: 'They all would be "file:///a", and only what had it before is there.',
        reason: 'clash',
      },
    ])
  })

  it('knows whose a URI is, where that is one server', () => {
    const twin = offer('eng/files', [item('template', 'db://{any}')])
    const one = composed([{ server: 'ops/db' }])
    expect(one.composition.resource('db://users')?.source.name).toBe('db')
    expect(one.composition.resource('db://a/b')).toBeUndefined()
    const two = composed([{ server: 'ops/db' }, { server: 'eng/files' }], {
      offer: server => (server === 'ops/db' ? db : twin),
    })
    expect(two.composition.resource('db://users')).toBeUndefined()
  })

  it('has nothing said of a source that was never read, but that it is there', () => {
    const unread = offer('ops/db', [], { isRead: false, trouble: 'It has not been read yet.' })
    const sources = [
      { server: 'eng/files', tools: ['read'] },
      { server: 'ops/db', tools: ['query', { name: 'read', arguments: { any: { default: 1 } } }] },
    ]
    const offers = new Map([
      ['eng/files', files],
      ['ops/db', unread],
    ])
    const settled = new Map([['tool ops/db read', 'read']])
    const found = composed(sources, { offer: server => offers.get(server), settled })
    expect(found).toMatchObject({ idle: [], strange: [], clashes: [] })
    expect(found.composition.missing).toMatchObject([{ server: 'ops/db', reason: 'trouble' }])
    // The name of what will come back is kept for it.
    expect(shown(found)).toEqual(['tool files__read read'])
    expect([...found.settled]).toEqual([
      ['tool ops/db read', 'read'],
      ['tool eng/files read', 'files__read'],
    ])
  })

  it('refuses one alias for two things, also before they are known', () => {
    const unread = offer('ops/db', [], { isRead: false })
    const sources = [
      { server: 'eng/files', tools: [{ name: 'read', as: 'same' }] },
      { server: 'ops/db', tools: [{ name: 'query', as: 'same' }] },
    ]
    const { clashes } = composed(sources, { offer: server => (server === 'ops/db' ? unread : files) })
    expect(clashes).toEqual([{ name: 'same', of: ['eng/files read', 'ops/db query'] }])
    expect(composed(sources).clashes).toEqual(clashes)
  })
})
