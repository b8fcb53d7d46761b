import fc from 'fast-check'
import { expect, it } from 'vitest'
import { person } from '../../test/fixtures/rooms.ts'
import { decide, type Grant, type Target, type ToolPolicy } from './decide.ts'
import { openJudge } from './policies/judge.ts'
import { takeSnapshot } from './snapshot.ts'

const open: ToolPolicy = { default: 'allow', allow: [], deny: [] }
const closed: ToolPolicy = { default: 'allow', allow: [], deny: ['*'] }
const grants: readonly Grant[] = [
  { id: 'g1', subject: 'team:eng', servers: ['files'], tools: ['read_*'] },
  { id: 'g2', subject: 'user:bo@x', servers: undefined, tools: 'readOnly' },
]
const group = { id: '1', name: 'eng', description: '', managers: [], grants }
const people = [person('ana@x', { teams: ['eng'] }), person('ana@x'), person('bo@x')]

it('remembers nothing but what decide would say', () => {
  const asked = fc.record({
    who: fc.constantFrom(...people),
    action: fc.constantFrom('tool.call' as const, 'server.use' as const, 'prompt.get' as const),
    server: fc.constantFrom('files', 'db'),
    group: fc.constantFrom('eng', 'ops'),
    policy: fc.constantFrom(open, closed),
    tool: fc.option(fc.record({ name: fc.constantFrom('read_a', 'r read_a', 'w'), readOnly: fc.boolean() }), {
      nil: undefined,
    }),
  })
  fc.assert(
    fc.property(fc.array(asked, { minLength: 10, maxLength: 80 }), questions => {
      const snapshot = takeSnapshot(
        [group],
        openJudge([], () => undefined),
      )
      for (const { who, action, tool, ...place } of [...questions, ...questions]) {
        const target: Target = { ...place, ...(tool && { tool }) }
        const expected = decide(who, action, target, place.group === 'eng' ? grants : [])
        expect(snapshot.clear(who, action, target)).toEqual(expected)
      }
    }),
  )
})

it('answers right after more names than it remembers', () => {
  const snapshot = takeSnapshot(
    [group],
    openJudge([], () => undefined),
  )
  const [ana] = people
  if (ana === undefined) throw new Error('nobody')
  const call = (name: string) =>
    snapshot.clear(ana, 'tool.call', {
      group: 'eng',
      server: 'files',
      policy: open,
      tool: { name, readOnly: false },
    })
  for (let i = 0; i < 5000; i++) expect(call(`${i % 2 ? 'read' : 'write'}_${i}`).allowed).toBe(i % 2 === 1)
  expect(call('read_1')).toBe(call('read_1'))
})
