import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Roster, type Seated } from './roster.ts'

it('holds exactly those who were added and not removed', () => {
  const change = fc.record({ who: fc.nat({ max: 7 }), comes: fc.boolean() })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), changes => {
      const members: Seated[] = Array.from({ length: 8 }, () => ({}))
      const roster = new Roster<Seated>()
      const expected = new Set<Seated>()
      for (const { who, comes } of changes) {
        const member = members[who] ?? {}
        if (comes) roster.add(member)
        else roster.remove(member)
        if (comes) expected.add(member)
        else expected.delete(member)
        expect(roster.size).toBe(expected.size)
        expect(new Set(roster.all())).toEqual(expected)
        for (const one of members) expect(roster.has(one)).toBe(expected.has(one))
      }
    }),
  )
})
