import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Nameless, nameAll, originOf, visible } from './names.ts'

const thing = (from: string, own: string, alias?: string): Nameless => ({ from, own, alias })
const names = (things: readonly Nameless[], settled?: ReadonlyMap<string, string>) =>
  Object.fromEntries([...nameAll(things, settled).byName].map(([name, of]) => [name, originOf(of)]))

describe('names behind one address', () => {
  it('are those of the servers where nobody else has them', () => {
    expect(names([thing('eng/files', 'read'), thing('eng/db', 'query')])).toEqual({
      read: 'eng/files read',
      query: 'eng/db query',
    })
  })

  it('say the server where two have the same, and the group where that is not enough', () => {
    const three = [thing('eng/files', 'read'), thing('ops/files', 'read'), thing('eng/db', 'read')]
    expect(names(three)).toEqual({
      eng__files__read: 'eng/files read',
      ops__files__read: 'ops/files read',
      db__read: 'eng/db read',
    })
  })

  it('are what the author says, whoever else would have them', () => {
    expect(names([thing('eng/files', 'read'), thing('eng/db', 'query', 'read')])).toEqual({
      read: 'eng/db query',
      files__read: 'eng/files read',
    })
  })

  it('stay when somebody comes who would have the same', () => {
    const settled = new Map([['eng/files read', 'read']])
    expect(names([thing('eng/db', 'read'), thing('eng/files', 'read')], settled)).toEqual({
      read: 'eng/files read',
      db__read: 'eng/db read',
    })
  })

  it('are nobody’s where two authors’ names are the same, and both are named', () => {
    const { byName, clashes } = nameAll([thing('a/b', 'x', 'same'), thing('a/c', 'y', 'same')])
    expect([...byName]).toEqual([])
    expect(clashes).toEqual([{ name: 'same', of: ['a/b x', 'a/c y'] }])
  })

  it('are never taken from an author’s name by a server that calls a tool so', () => {
    const { byName, clashes } = nameAll([
      thing('a/b', 'x', 'a__c__y'),
      thing('a/c', 'y'),
      thing('a/d', 'y'),
      thing('b/c', 'c__y', 'c__y'),
    ])
    expect(byName.get('a__c__y')).toMatchObject({ own: 'x' })
    expect(clashes).toEqual([{ name: 'a__c__y', of: ['a/b x', 'a/c y'] }])
  })

  it('are such as every client takes, and differ where what they stand for differs', () => {
    expect(visible('read/file')).toMatch(/^read_file_[0-9a-f]{8}$/)
    expect(visible('a'.repeat(65))).toMatch(/^a{55}_[0-9a-f]{8}$/)
    expect(visible('a'.repeat(64))).toBe('a'.repeat(64))
  })

  const things = fc.uniqueArray(
    fc.record({
      from: fc.constantFrom('a/x', 'a/y', 'b/x', 'b/a__x'),
      own: fc.oneof(fc.constantFrom('r', 'x__r', 'a__x__r', 'y__r', 'r r'), fc.string({ minLength: 1 })),
      alias: fc.option(fc.constantFrom('r', 'x__r', 'z'), { nil: undefined }),
    }),
    { selector: originOf, maxLength: 20 },
  )

  it('are each of one thing; every thing has one or is named in a clash; order does not matter', () => {
    fc.assert(
      fc.property(things, all => {
        const { byName, clashes } = nameAll(all)
        const named = new Set([...byName.values()].map(originOf))
        expect(named.size).toBe(byName.size)
        const clashing = new Set(clashes.flatMap(({ of }) => of))
        for (const each of all) expect(named.has(originOf(each)) || clashing.has(originOf(each))).toBe(true)
        for (const name of byName.keys()) expect(name).toMatch(/^[A-Za-z0-9_.-]{1,64}$/)
        expect(names(all.toReversed())).toEqual(names(all))
      }),
    )
  })

  it('that were settled are what they were, whoever comes', () => {
    fc.assert(
      fc.property(things, things, (before, more) => {
        const first = nameAll(before)
        const settled = new Map(
          [...first.byName]
            .filter(([, { alias }]) => alias === undefined)
            .map(([name, of]) => [originOf(of), name]),
        )
        const later = more.filter(
          each => each.alias === undefined && !before.some(b => originOf(b) === originOf(each)),
        )
        const second = nameAll([...before, ...later], settled)
        for (const [name, of] of first.byName) expect(second.byName.get(name)).toBe(of)
      }),
    )
  })
})
