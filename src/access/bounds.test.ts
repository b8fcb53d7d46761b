/** The law of tenants: whatever is granted, permitted or managed, nothing outside of the bounds is there for them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Caller, Within } from '../foundation/route.ts'
import type { Grant } from './decide.ts'
import { openJudge } from './policies/judge.ts'
import { manages, takeSnapshot } from './snapshot.ts'
import type { Group } from './table.ts'

const groupNames = ['acme', 'acme-eng', 'acme-ops', 'acmé', 'eng', 'umbrella', 'umbrella-acme-']
const allSubjects = ['user:ana@acme.example', 'team:acme', 'team:crew', 'everyone', 'account:robot']
const permits = [
  'permit(principal, action, resource);',
  'permit(principal == User::"ana@acme.example", action, resource);',
  'permit(principal in Team::"acme", action, resource);',
  'permit(principal, action, resource in Group::"umbrella");',
]

const grant = fc.record({
  id: fc.constant('g'),
  subject: fc.constantFrom(...allSubjects),
  servers: fc.constantFrom(undefined, ['db']),
  tools: fc.constantFrom('all' as const, 'readOnly' as const, ['query', '*']),
}) satisfies fc.Arbitrary<Grant>

const world = fc.record({
  groups: fc.tuple(
    ...groupNames.map(name =>
      fc.record({
        id: fc.constant(name),
        name: fc.constant(name),
        description: fc.constant(''),
        managers: fc.subarray(allSubjects),
        grants: fc.array(grant, { maxLength: 4 }),
      }),
    ),
  ),
  policies: fc.subarray(permits),
  action: fc.constantFrom('server.use', 'tool.list', 'tool.call', 'resource.read', 'prompt.get' as const),
  group: fc.constantFrom(...groupNames, 'not-there'),
  isVirtual: fc.boolean(),
})

type World = typeof world extends fc.Arbitrary<infer One> ? One : never

function bounded(within: Within, subjects: readonly string[], isAccount: boolean): Caller {
  const name = isAccount ? 'robot' : 'ana@acme.example'
  return {
    id: 'a',
    kind: isAccount ? 'account' : 'user',
    name,
    role: 'member',
    subjects,
    tokenId: 't',
    within,
  }
}

function ask({ groups, policies, action, group, isVirtual }: World, caller: Caller) {
  const all: Group[] = groups
  const texts = policies.map((text, i) => ({
    ...{ id: `p${i}`, name: `p${i}`, mode: 'enforce', description: '', text, version: 1 },
    ...{ createdAt: 0, updatedAt: 0 },
  })) as Parameters<typeof openJudge>[0]
  const judge = openJudge(texts, () => undefined)
  try {
    const snapshot = takeSnapshot(all, judge)
    const open = { default: 'allow', allow: [], deny: [] } as const
    const tool = { name: 'query', readOnly: true }
    const thing = action === 'tool.call' ? { tool } : { subject: 'x' }
    const source = { group: 'eng', server: 'db', policy: open, ...thing }
    const target = { group, server: 'db', policy: open, ...thing, ...(isVirtual && { source }) }
    const found = all.find(({ name }) => name === group)
    return {
      isAllowed: snapshot.clear(caller, action, target).allowed,
      explained: snapshot.explain(caller, action, target),
      isSeen: found !== undefined && snapshot.sees(caller, found),
      isManaged: found !== undefined && manages(caller, found),
      found,
    }
  } finally {
    judge.close()
  }
}

describe('bounds of a provider', () => {
  it('by the beginning of groups: every other group is not there', () => {
    fc.assert(
      fc.property(world, fc.boolean(), fc.subarray(allSubjects), (made, isAccount, subjects) => {
        const caller = bounded({ groupPrefix: 'acme-' }, subjects, isAccount)
        const { isAllowed, explained, isSeen, isManaged } = ask(made, caller)
        expect(explained.decision.allowed).toBe(isAllowed)
        if (made.group.startsWith('acme-')) return
        expect({ isAllowed, isSeen, isManaged }).toEqual({
          isAllowed: false,
          isSeen: false,
          isManaged: false,
        })
        expect(explained.grants).toEqual([])
      }),
      { numRuns: 400 },
    )
  })

  it('within them nothing is less than without them', () => {
    fc.assert(
      fc.property(world, made => {
        const caller = bounded({ groupPrefix: 'acme-' }, ['user:ana@acme.example', 'everyone'], false)
        const { within: _, ...free } = caller
        if (made.group.startsWith('acme-')) {
          const [bound, unbound] = [ask(made, caller), ask(made, free)]
          expect([bound.isAllowed, bound.isSeen, bound.isManaged]).toEqual([
            unbound.isAllowed,
            unbound.isSeen,
            unbound.isManaged,
          ])
        }
      }),
      { numRuns: 200 },
    )
  })

  it('by a team: what this team is granted, and no policy and no other grant gives more', () => {
    fc.assert(
      fc.property(world, fc.boolean(), (made, isAccount) => {
        const { isAllowed, isSeen, isManaged, found } = ask(
          made,
          bounded({ team: 'acme' }, ['team:acme'], isAccount),
        )
        const isGranted = found?.grants.some(({ subject }) => subject === 'team:acme') === true
        const isManager = found?.managers.includes('team:acme') === true
        if (!isGranted) expect(isAllowed).toBe(false)
        expect(isManaged).toBe(isManager)
        expect(isSeen).toBe(isGranted || isManager)
      }),
      { numRuns: 400 },
    )
  })
})
