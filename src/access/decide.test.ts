import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Caller } from '../foundation/route.ts'
import type { Action } from './actions.ts'
import { covers, decide, type Grant, type Target, type ToolPolicy } from './decide.ts'

const actions: readonly Action[] = [
  'server.use',
  'tool.list',
  'tool.call',
  'resource.list',
  'resource.read',
  'prompt.list',
  'prompt.get',
]
const subject = fc.constantFrom('user:a@x', 'user:b@x', 'team:t', 'account:n', 'everyone')
const server = fc.constantFrom('one', 'two', 'three')
const glob = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 5 })
const toolName = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 6 })

const grant: fc.Arbitrary<Grant> = fc.record({
  id: fc.uuid(),
  subject,
  servers: fc.option(fc.uniqueArray(server), { nil: undefined }),
  tools: fc.oneof(
    fc.constant('all' as const),
    fc.constant('readOnly' as const),
    fc.array(glob, { maxLength: 3 }),
  ),
})
const policy: fc.Arbitrary<ToolPolicy> = fc.record({
  default: fc.constantFrom('allow' as const, 'deny' as const),
  allow: fc.array(glob, { maxLength: 2 }),
  deny: fc.array(glob, { maxLength: 2 }),
})
const target: fc.Arbitrary<Target> = fc
  .record({
    server,
    policy,
    tool: fc.record({ name: toolName, readOnly: fc.boolean() }),
    isTool: fc.boolean(),
  })
  .map(({ isTool, tool, ...rest }) => ({ group: 'g', ...rest, ...(isTool && { tool }) }))
const caller: fc.Arbitrary<Caller> = fc
  .record({
    subjects: fc.uniqueArray(subject),
    role: fc.constantFrom('admin' as const, 'member' as const, 'auditor' as const),
  })
  .map(parts => ({ id: 'c', kind: 'user', name: 'c', tokenId: undefined, ...parts }))
const question = fc.record({
  caller,
  action: fc.constantFrom(...actions),
  target,
  grants: fc.array(grant, { maxLength: 5 }),
})

const operator: Caller = {
  id: 'operator',
  kind: 'operator',
  name: 'operator',
  role: 'admin',
  subjects: [],
  tokenId: undefined,
}

describe('the laws of decide', () => {
  it('denies without a grant, whatever the role', () => {
    fc.assert(
      fc.property(question, ({ caller, action, target }) => {
        expect(decide(caller, action, target, []).allowed).toBe(false)
      }),
    )
  })

  it('looks only at grants to the caller, for this server', () => {
    fc.assert(
      fc.property(question, ({ caller, action, target, grants }) => {
        const own = grants.filter(
          each => caller.subjects.includes(each.subject) && (each.servers?.includes(target.server) ?? true),
        )
        expect(decide(caller, action, target, grants).allowed).toBe(
          decide(caller, action, target, own).allowed,
        )
      }),
    )
  })

  it('never takes away by giving more, and never gives by taking away', () => {
    fc.assert(
      fc.property(question, grant, ({ caller, action, target, grants }, more) => {
        if (decide(caller, action, target, grants).allowed)
          expect(decide(caller, action, target, [more, ...grants]).allowed).toBe(true)
      }),
    )
  })

  it('is allowed exactly when one of the grants alone allows', () => {
    fc.assert(
      fc.property(question, ({ caller, action, target, grants }) => {
        const anyAlone = grants.some(each => decide(caller, action, target, [each]).allowed)
        expect(decide(caller, action, target, grants).allowed).toBe(anyAlone)
      }),
    )
  })

  it('holds everybody to the tool policy, in which deny wins', () => {
    fc.assert(
      fc.property(question, ({ caller, action, target, grants }) => {
        const { tool, policy } = target
        if (tool === undefined) return
        const everything: Grant = { id: 'x', subject: 'everyone', servers: undefined, tools: 'all' }
        const denied = policy.deny.some(each => covers(each, tool.name))
        const missing = policy.default === 'deny' && !policy.allow.some(each => covers(each, tool.name))
        for (const who of [operator, { ...caller, subjects: ['everyone'] }]) {
          expect(decide(who, action, target, [...grants, everything]).allowed).toBe(!denied && !missing)
        }
      }),
    )
  })

  it('gives, for named tools, those tools and nothing else of the server', () => {
    fc.assert(
      fc.property(fc.array(glob), fc.constantFrom(...actions), toolName, (tools, action, name) => {
        const ana: Caller = { ...operator, kind: 'user', subjects: ['user:a@x'] }
        const only: Grant = { id: 'x', subject: 'user:a@x', servers: undefined, tools }
        const open: ToolPolicy = { default: 'allow', allow: [], deny: [] }
        const { allowed } = decide(
          ana,
          action,
          { group: 'g', server: 's', policy: open, tool: { name, readOnly: true } },
          [only],
        )
        const expected =
          action === 'tool.call'
            ? tools.some(each => covers(each, name))
            : action === 'server.use' || action === 'tool.list'
        expect(allowed).toBe(expected)
      }),
    )
  })

  it('believes readOnly only where the catalogue says so', () => {
    const ana: Caller = { ...operator, kind: 'user', subjects: ['everyone'] }
    const reader: Grant = { id: 'x', subject: 'everyone', servers: undefined, tools: 'readOnly' }
    const open: ToolPolicy = { default: 'allow', allow: [], deny: [] }
    const call = (readOnly: boolean) =>
      decide(ana, 'tool.call', { group: 'g', server: 's', policy: open, tool: { name: 't', readOnly } }, [
        reader,
      ]).allowed
    expect([call(true), call(false)]).toEqual([true, false])
    expect(decide(ana, 'tool.call', { group: 'g', server: 's', policy: open }, [reader]).allowed).toBe(false)
  })
})

describe('covers', () => {
  const asRegExp = (pattern: string) =>
    new RegExp(
      `^${pattern.replace(/[.*+?^${}()|[\]\\]/g, c => (c === '*' ? '.*' : c === '?' ? '.' : `\\${c}`))}$`,
      's',
    )

  it('agrees with the regular expression of the same meaning', () => {
    fc.assert(
      fc.property(glob, toolName, (pattern, name) => {
        expect(covers(pattern, name)).toBe(asRegExp(pattern).test(name))
      }),
    )
  })

  it('covers a name by itself, unless the name has wildcards of its own', () => {
    fc.assert(
      fc.property(
        fc.string().filter(name => !/[*?]/.test(name)),
        name => {
          expect(covers(name, name)).toBe(true)
          expect(covers(`${name}x`, name)).toBe(false)
          expect(covers('*', name)).toBe(true)
        },
      ),
    )
  })

  it('takes no exponential time', () => {
    expect(covers(`${'*a'.repeat(60)}b`, 'a'.repeat(5000))).toBe(false)
  })
})
