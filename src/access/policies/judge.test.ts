import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { person } from '../../../test/fixtures/rooms.ts'
import type { JsonObject } from '../../foundation/json.ts'
import type { Caller } from '../../foundation/route.ts'
import type { Action } from '../actions.ts'
import type { Circumstances, Grant, Target } from '../decide.ts'
import { type Snapshot, takeSnapshot } from '../snapshot.ts'
import { type Judge, openJudge } from './judge.ts'
import type { Policy } from './policy.ts'

const judges: Judge[] = []
afterEach(() => {
  for (const judge of judges.splice(0)) judge.close()
})

const openTools = { default: 'allow', allow: [], deny: [] } as const
const ana = person('ana@x', { teams: ['eng'] })
const bo = person('bo@x')
const agent: Caller = {
  ...bo,
  id: 'a',
  kind: 'account',
  name: 'nightly',
  subjects: ['account:nightly', 'everyone'],
}
const operator: Caller = { ...bo, id: 'operator', kind: 'operator', subjects: ['everyone'] }

function policy(name: string, text: string, mode: Policy['mode'] = 'enforce'): Policy {
  return { id: name, name, text, mode, description: '', version: 1, createdAt: 0, updatedAt: 0 }
}

type Given = { readonly grants?: readonly Grant[]; readonly schema?: unknown }

function court(policies: readonly Policy[], { grants = [], schema }: Given = {}): Snapshot {
  const judge = openJudge(policies, () => schema)
  judges.push(judge)
  return takeSnapshot([{ id: '1', name: 'eng', description: '', managers: [], grants }], judge)
}

const everything: Grant = { id: 'g', subject: 'everyone', servers: undefined, tools: 'all' }

function tool(name = 'read', readOnly = true): Target {
  return { group: 'eng', server: 'files', policy: openTools, tool: { name, readOnly } }
}
const server: Target = { group: 'eng', server: 'files', policy: openTools }

function with_(args: JsonObject = {}, more: Partial<Circumstances> = {}): () => Circumstances {
  const at = Date.parse('2026-11-28T03:30:00Z')
  return () => ({
    arguments: args,
    at,
    address: '127.0.0.1',
    protocol: '2025-11-25',
    era: 'session',
    ...more,
  })
}

describe('a forbid', () => {
  const noSecrets = policy(
    'no-secrets',
    `@reason("Nothing below /etc.")
     forbid (principal, action == Action::"tool.call", resource in Server::"eng/files")
     when { context.arguments has path && context.arguments.path like "/etc/*" };`,
  )

  it('on arguments refuses those calls, says why, and hides nothing', () => {
    const snapshot = court([noSecrets], { grants: [everything] })
    expect(snapshot.clear(bo, 'tool.call', tool())).toEqual({ allowed: true, reason: 'grant g to everyone' })
    expect(snapshot.clear(bo, 'tool.call', tool(), with_({ path: '/srv/a' })).allowed).toBe(true)
    expect(snapshot.clear(bo, 'tool.call', tool(), with_({ path: '/etc/a' }))).toEqual({
      allowed: false,
      reason: 'Nothing below /etc.',
      policies: ['no-secrets'],
      isAboutArguments: true,
    })
  })

  it('binds neither another server nor the operator, and opens nothing', () => {
    const snapshot = court([noSecrets], { grants: [everything] })
    const call = with_({ path: '/etc/a' })
    expect(snapshot.clear(bo, 'tool.call', { ...tool(), server: 'db' }, call).allowed).toBe(true)
    expect(snapshot.clear(operator, 'tool.call', tool(), call).allowed).toBe(true)
    expect(court([noSecrets]).clear(bo, 'tool.call', tool(), with_())).toEqual({
      allowed: false,
      reason: 'no grant',
    })
  })

  it('on what a tool is hides it, and wins over every permit and grant', () => {
    const readers = policy(
      'readers',
      'forbid (principal, action == Action::"tool.call", resource) unless { resource.readOnly };',
    )
    const all = policy('all', 'permit (principal, action, resource);')
    const snapshot = court([readers, all], { grants: [everything] })
    expect(snapshot.clear(bo, 'tool.call', tool('read')).allowed).toBe(true)
    expect(snapshot.clear(bo, 'tool.call', tool('write', false))).toEqual({
      allowed: false,
      reason: 'The policy readers forbids it.',
      policies: ['readers'],
    })
  })

  it('of using a server forbids everything of it, and of a list what it lists', () => {
    const use = court(
      [policy('use', 'forbid (principal, action == Action::"server.use", resource == Server::"eng/files");')],
      { grants: [everything] },
    )
    const list = court([policy('list', 'forbid (principal, action == Action::"tool.list", resource);')], {
      grants: [everything],
    })
    const actions: Action[] = ['server.use', 'tool.list', 'resource.list', 'prompt.get']
    const may = (snapshot: Snapshot) => actions.map(action => snapshot.clear(bo, action, server).allowed)
    expect(may(use)).toEqual([false, false, false, false])
    expect(may(list)).toEqual([true, false, true, true])
    expect(use.clear(bo, 'tool.call', tool()).allowed).toBe(false)
    expect(list.clear(bo, 'tool.call', tool()).allowed).toBe(false)
  })

  it('that cannot be evaluated forbids, and says so', () => {
    const number = policy(
      'number',
      'forbid (principal, action == Action::"tool.call", resource) when { context.arguments.n > 3 };',
    )
    const snapshot = court([number], { grants: [everything] })
    for (const n of ['4', 1e300, 2 ** 60, 0.123456, { __extn: { fn: 'ip', arg: 'x' } }, null])
      expect(snapshot.clear(bo, 'tool.call', tool(), with_({ n }))).toMatchObject({
        allowed: false,
        isAboutArguments: true,
        reason: expect.stringContaining('could not be evaluated'),
      })
    expect(snapshot.clear(bo, 'tool.call', tool(), with_({ n: 3 })).allowed).toBe(true)
    expect(snapshot.clear(bo, 'tool.call', tool(), with_({ n: 3, other: '\ud800' })).allowed).toBe(true)
  })
})

describe('a permit', () => {
  it('of one tool lets its team reach the server and that tool, and nobody anything else', () => {
    const snapshot = court([
      policy(
        'one',
        'permit (principal in Team::"eng", action == Action::"tool.call", resource == Tool::"eng/files/read");',
      ),
    ])
    const actions: Action[] = ['server.use', 'tool.list', 'resource.list', 'prompt.list', 'resource.read']
    expect(actions.map(action => snapshot.clear(ana, action, server).allowed)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
    expect(snapshot.clear(ana, 'tool.call', tool('read'))).toEqual({
      allowed: true,
      reason: 'policy one',
      policies: ['one'],
    })
    expect(snapshot.clear(ana, 'tool.call', tool('write')).allowed).toBe(false)
    expect(snapshot.clear(ana, 'server.use', { ...server, server: 'db' }).allowed).toBe(false)
    for (const who of [bo, agent])
      expect(actions.map(action => snapshot.clear(who, action, server).allowed)).toEqual(
        actions.map(() => false),
      )
    expect(
      [ana, bo].map(who =>
        snapshot.sees(who, { id: '1', name: 'eng', description: '', managers: [], grants: [] }),
      ),
    ).toEqual([true, false])
  })

  it('whose condition is about the caller shows nothing to others', () => {
    const snapshot = court([
      policy(
        'mail',
        'permit (principal is User, action, resource in Group::"eng") when { principal.email like "ana@*" };',
      ),
    ])
    const group = { id: '1', name: 'eng', description: '', managers: [], grants: [] }
    for (const [who, expected] of [
      [ana, true],
      [bo, false],
      [agent, false],
    ] as const) {
      expect(snapshot.clear(who, 'server.use', server).allowed).toBe(expected)
      expect(snapshot.clear(who, 'tool.call', tool()).allowed).toBe(expected)
      expect(snapshot.clear(who, 'prompt.get', { ...server, subject: 'p' }).allowed).toBe(expected)
      expect(snapshot.sees(who, group)).toBe(expected)
    }
  })

  it('on arguments shows the tool and refuses other calls of it like a missing grant', () => {
    const snapshot = court([
      policy(
        'small',
        'permit (principal, action == Action::"tool.call", resource == Tool::"eng/files/read") when { context.arguments has n && context.arguments.n < 10 };',
      ),
    ])
    expect(snapshot.clear(bo, 'server.use', server).allowed).toBe(true)
    expect(snapshot.clear(bo, 'tool.call', tool()).allowed).toBe(true)
    expect(snapshot.clear(bo, 'tool.call', tool(), with_({ n: 3 })).allowed).toBe(true)
    for (const n of [30, 'x', 1.5, null])
      expect(snapshot.clear(bo, 'tool.call', tool(), with_({ n }))).toEqual({
        allowed: false,
        reason: 'no grant',
      })
  })

  it('never opens what the tool policy of the server closes', () => {
    const snapshot = court([policy('all', 'permit (principal, action, resource);')])
    const closed = { ...tool(), policy: { ...openTools, deny: ['read'] } }
    expect(snapshot.clear(bo, 'tool.call', closed)).toEqual({
      allowed: false,
      reason: 'tool policy of the server',
    })
  })
})

describe('shadow mode', () => {
  it('changes nothing and names what it would have changed', () => {
    const forbid = policy(
      'f',
      'forbid (principal, action == Action::"tool.call", resource) when { context.hour < 6 };',
      'shadow',
    )
    const permit = policy('p', 'permit (principal, action == Action::"tool.call", resource);', 'shadow')
    expect(court([forbid, permit], { grants: [everything] }).clear(bo, 'tool.call', tool(), with_())).toEqual(
      {
        allowed: true,
        reason: 'grant g to everyone',
        shadow: ['f'],
      },
    )
    expect(court([forbid, permit]).clear(bo, 'tool.call', tool(), with_())).toEqual({
      allowed: false,
      reason: 'no grant',
      shadow: ['p'],
    })
  })

  it('names nobody where an enforced policy forbids anyway', () => {
    const text = 'forbid (principal, action, resource);'
    const snapshot = court([policy('f', text), policy('s', text, 'shadow')], { grants: [everything] })
    expect(snapshot.clear(bo, 'tool.call', tool())).toEqual({
      allowed: false,
      reason: 'The policy f forbids it.',
      policies: ['f'],
    })
  })
})

describe('circumstances', () => {
  it.each([
    ['context.hour == 3 && context.weekday == 6', {}],
    ['context.time == 1795836600000', {}],
    ['context.address.isLoopback() && context.address.isIpv4()', { address: '::ffff:127.0.0.1' }],
    ['context.address.isIpv6()', { address: 'fe80::1%eth0' }],
    ['context.protocol == "2025-11-25" && context.era == "session"', {}],
    ['context.protocol == "" && context.era == ""', { protocol: null, era: null }],
    ['principal in Team::"eng" && principal.teams.contains("eng") && principal.role == "member"', {}],
    [
      'action in Action::"use" && resource in Group::"eng" && resource.name == "read" && !resource.idempotent',
      {},
    ],
  ])('%s', (condition, more) => {
    const snapshot = court([policy('c', `permit (principal, action, resource) when { ${condition} };`)])
    expect(snapshot.clear(ana, 'tool.call', tool(), with_({}, more)).allowed).toBe(true)
  })

  it('have numbers as the tool declares them', () => {
    const schema = { type: 'object', properties: { amount: { type: 'number' }, count: { type: 'integer' } } }
    const text =
      'permit (principal, action, resource) when { context.arguments.amount.lessThan(decimal("10.0")) && context.arguments.count < 3 };'
    const snapshot = court([policy('n', text)], { schema })
    const may = (amount: number, count: number) =>
      snapshot.clear(bo, 'tool.call', tool(), with_({ amount, count })).allowed
    expect([may(9, 2), may(9.5, 2), may(10, 2), may(9, 3), may(9, 2.5)]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
  })
})

it('takes names that are no Unicode', () => {
  const secret =
    'forbid (principal, action, resource) when { resource is Resource && resource.uri like "secret:*" || resource is Tool && resource.name like "x*" };'
  const snapshot = court([policy('s', secret)], { grants: [everything] })
  const read = (subject: string) => snapshot.clear(bo, 'resource.read', { ...server, subject }).allowed
  expect([read('secret:\ud800'), read('file:\ud800'), read(`file:${'x'.repeat(5000)}`)]).toEqual([
    false,
    true,
    true,
  ])
  expect(
    [tool('x\udc00'), tool('y\udc00')].map(each => snapshot.clear(bo, 'tool.call', each).allowed),
  ).toEqual([false, true])
})

/** Statements whose conditions can be met and unmet at will, by arguments of their own. */
const statement = fc.record({
  isForbid: fc.boolean(),
  principal: fc.constantFrom(
    'principal',
    'principal in Team::"eng"',
    'principal == User::"bo@x"',
    'principal is Account',
  ),
  action: fc.constantFrom(
    'action',
    'action == Action::"tool.call"',
    'action == Action::"tool.list"',
    'action in [Action::"server.use", Action::"tool.call"]',
    'action in Action::"use"',
  ),
  resource: fc.constantFrom(
    'resource',
    'resource in Group::"eng"',
    'resource in Server::"eng/files"',
    'resource == Server::"eng/files"',
    'resource == Tool::"eng/files/read"',
    'resource is Tool',
    'resource is Tool in Group::"eng"',
    'resource in Group::"ops"',
  ),
  condition: fc.constantFrom(
    '',
    'context',
    'context',
    'when { principal is User && principal.email like "a*" }',
    'when { resource is Tool && resource.readOnly }',
    'when { action == Action::"tool.call" }',
    'when { principal.nothing == 1 }',
  ),
  isShadow: fc.integer({ max: 5, min: 0 }).map(n => n === 0),
})

const world = fc.record({
  statements: fc.array(statement, { minLength: 1, maxLength: 6 }),
  grants: fc.subarray<Grant>([
    { id: 'g1', subject: 'team:eng', servers: ['files'], tools: ['read'] },
    { id: 'g2', subject: 'everyone', servers: undefined, tools: 'readOnly' },
    { id: 'g3', subject: 'account:nightly', servers: undefined, tools: 'all' },
  ]),
  who: fc.constantFrom(ana, bo, agent),
  name: fc.constantFrom('read', 'write'),
  met: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
})

it('what is listed can be called somehow, and what is not listed cannot be called at all', () => {
  fc.assert(
    fc.property(world, ({ statements, grants, who, name, met }) => {
      const policies = statements.map(
        ({ isForbid, principal, action, resource, condition, isShadow }, at) => {
          const when = condition === 'context' ? `when { context.arguments has a${at} }` : condition
          return policy(
            `p${at}`,
            `${isForbid ? 'forbid' : 'permit'} (${principal}, ${action}, ${resource}) ${when};`,
            isShadow ? 'shadow' : 'enforce',
          )
        },
      )
      const snapshot = court(policies, { grants })
      const target = tool(name, name === 'read')
      const isListed =
        (['server.use', 'tool.list'] as const).every(action => snapshot.clear(who, action, server).allowed) &&
        snapshot.clear(who, 'tool.call', target).allowed
      const call = (isMet: (at: number) => boolean) => {
        const given = Object.fromEntries(statements.flatMap((_, at) => (isMet(at) ? [[`a${at}`, 1]] : [])))
        return snapshot.clear(who, 'tool.call', target, with_(given)).allowed
      }
      if (isListed) expect(call(at => statements[at]?.isForbid === false)).toBe(true)
      else expect(call(at => met[at] === true)).toBe(false)
      for (const judge of judges.splice(0)) judge.close()
    }),
    { numRuns: 500 },
  )
})
