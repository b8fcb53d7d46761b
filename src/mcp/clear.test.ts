import fc from 'fast-check'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import type { Action, Target } from '../access/index.ts'
import { GatewayError } from '../foundation/errors.ts'
import type { Principal } from '../identity/index.ts'
import { type ClearParts, clear, mayHear, mayUse, subjectOf } from './clear.ts'
import type { Exchange } from './exchange.ts'
import { type MethodRow, methods } from './methods.ts'

const policy = { default: 'allow' as const, allow: [], deny: [] }
const confirming = { ...policy, readOnly: ['read', 'new'] }
let upstream = upstreamAt('http://127.0.0.1:1', { policy: confirming })
const principal = { id: 'ana' } as Principal
const asked: { action: Action; target: Target; circumstances?: unknown }[] = []
let may: (action: Action, target: Target) => boolean
const tools = new Map([
  ['read', { readOnly: true, mirrored: [] }],
  ['write', { readOnly: false, mirrored: [] }],
])
const surprise = vi.fn(async (_, name: string) =>
  name === 'new' ? { readOnly: true, mirrored: [] } : undefined,
)
let isRead = true
const parts = {
  access: {
    clear(_: Principal, action: Action, target: Target, circumstances?: unknown) {
      asked.push({ action, target, circumstances })
      return { allowed: may(action, target), reason: 'a test' }
    },
  },
  catalogue: {
    tool: (_: string, name: string) => tools.get(name),
    facts: () => (isRead ? {} : undefined),
    surprise,
  },
  vault: { equip: (_: unknown, { id }: { id: string }) => ({ equippedFor: id }) },
} as unknown as ClearParts

beforeEach(() => {
  asked.length = 0
  surprise.mockClear()
  may = () => true
  isRead = true
  upstream = { ...upstream, policy: confirming }
})

const row = (method: string) => methods.get(method) as MethodRow

async function outcome(method: string, params: Record<string, unknown>) {
  const exchange = {} as Exchange
  try {
    const task = typeof params.taskId === 'string' ? { id: 't', tool: params.taskId } : undefined
    const { equipped } = await clear(parts, exchange, { row: row(method), params, upstream, principal, task })
    return { equipped, decision: exchange.decision }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const { code, why, fix, status, rpcCode } = error
    return { code, why, fix, status, rpcCode, decision: exchange.decision }
  }
}

const aims: readonly (readonly [string, Record<string, unknown>])[] = [
  ['server/discover', {}],
  ['ping', {}],
  ['logging/setLevel', {}],
  ['tools/list', {}],
  ['tools/call', { name: 'write' }],
  ['resources/list', {}],
  ['resources/templates/list', {}],
  ['resources/read', { uri: 'file:///a' }],
  ['resources/subscribe', { uri: 'file:///a' }],
  ['resources/unsubscribe', { uri: 'file:///a' }],
  ['prompts/list', {}],
  ['prompts/get', { name: 'p' }],
  ['completion/complete', { ref: { type: 'ref/prompt', name: 'p' } }],
  ['completion/complete', { ref: { type: 'ref/resource', uri: 'file:///a' } }],
  ['subscriptions/listen', {}],
  ['resources/directory/read', { uri: 'skill://a' }],
  ['skills/list', {}],
  ['skills/get', { uri: 'skill://a/SKILL.md' }],
  ['tasks/get', { taskId: 'write' }],
  ['tasks/update', { taskId: 'write' }],
  ['tasks/cancel', { taskId: 'write' }],
  ['tasks/result', { taskId: 'write' }],
  ['tasks/list', {}],
]

describe('every method', () => {
  it('is here', () => expect(new Set(aims.map(([method]) => method))).toEqual(new Set(methods.keys())))

  it.each(aims)(
    '%s is decided by its own action, and refused as if the server were not there',
    async (method, params) => {
      expect(await outcome(method, params)).toMatchObject({ equipped: { equippedFor: 'ana' } })
      const isResource = (params.ref as { type?: string } | undefined)?.type === 'ref/resource'
      expect(asked.map(({ action }) => action)).toEqual([isResource ? 'resource.read' : row(method).action])
      expect(asked[0]?.target).toMatchObject({ group: 'lab', server: 'work', policy: upstream.policy })
      may = () => false
      expect(await outcome(method, params)).toMatchObject({ code: 'access.not_found', status: 404 })
    },
  )
})

it('is decided with its circumstances, but for a task, which was decided with its arguments before', async () => {
  for (const [method, params] of aims) await outcome(method, params)
  const without = asked.flatMap(({ circumstances }, at) =>
    circumstances === undefined ? [aims[at]?.[0]] : [],
  )
  expect(without).toEqual(aims.map(([method]) => method).filter(method => /^tasks\/(?!list)/.test(method)))
})

it('says which resource or prompt is meant', async () => {
  for (const [method, params] of aims) await outcome(method, params)
  expect(new Set(asked.map(({ target }) => target.subject))).toEqual(
    new Set([undefined, 'file:///a', 'p', 'skill://a', 'skill://a/SKILL.md']),
  )
})

describe('what may be used only in part', () => {
  it('is refused as what is not there', async () => {
    may = (action, { tool }) => action === 'server.use' || tool?.name === 'other'
    const refusals = [
      await outcome('tools/call', { name: 'write' }),
      await outcome('prompts/get', { name: 'write' }),
      await outcome('resources/read', { uri: 'write' }),
      await outcome('tasks/get', { taskId: 'write' }),
      await outcome('skills/get', { uri: 'write' }),
    ]
    expect(refusals).toMatchObject([
      { code: 'access.tool_unknown', why: 'There is no tool "write" here.' },
      { code: 'access.prompt_unknown', why: 'There is no prompt "write" here.' },
      { code: 'access.resource_unknown', why: 'There is no resource "write" here.' },
      { code: 'access.task_unknown', why: 'Unknown task.' },
      { code: 'access.resource_unknown', why: 'There is no resource "write" here.' },
    ])
  })

  it('a tool that is denied and one that is missing are refused in the same words', async () => {
    const words = async (name: string) => {
      const { decision: _, ...shown } = await outcome('tools/call', { name })
      return JSON.stringify(shown).replaceAll(name, 'T')
    }
    const missing = await words('missing')
    may = action => action === 'server.use'
    expect(await words('write')).toBe(missing)
    expect(await words('missing')).toBe(missing)
  })
})

describe('a tool nobody has heard of', () => {
  it('is looked for on behalf of those who may call whatever it is', async () => {
    expect(await outcome('tools/call', { name: 'new' })).toMatchObject({ decision: { allowed: true } })
    expect(await outcome('tools/call', { name: 'missing' })).toMatchObject({ code: 'access.tool_unknown' })
    expect(surprise).toHaveBeenCalledTimes(2)
  })

  it('is not looked for on behalf of others, who would learn from the time whether it is there', async () => {
    may = action => action === 'server.use'
    await outcome('tools/call', { name: 'new' })
    may = (action, { tool }) => action === 'server.use' || tool?.readOnly === true
    expect(await outcome('tools/call', { name: 'read' })).toMatchObject({ decision: { allowed: true } })
    expect(await outcome('tools/call', { name: 'write' })).toMatchObject({ code: 'access.tool_unknown' })
    expect(await outcome('tools/call', { name: 'new' })).toMatchObject({ code: 'access.tool_unknown' })
    expect(surprise).not.toHaveBeenCalled()
    isRead = false
    expect(await outcome('tools/call', { name: 'new' })).toMatchObject({ decision: { allowed: true } })
  })
})

describe('what a tool claims', () => {
  const mayRead = async (name: string) => {
    may = (action, { tool }) => action === 'server.use' || tool?.readOnly === true
    return (await outcome('tools/call', { name })).equipped !== undefined
  }

  it('counts for nothing, and what was confirmed does', async () => {
    upstream = { ...upstream, policy: { ...policy, readOnly: ['wri*'] } }
    expect([await mayRead('read'), await mayRead('write')]).toEqual([false, true])
  })

  it('counts where the tool policy of the server says so', async () => {
    upstream = { ...upstream, policy: { ...policy, annotations: 'claimed' } }
    expect([await mayRead('read'), await mayRead('write')]).toEqual([true, false])
  })
})

it('refuses parameters that name nothing', () => {
  const bad = expect.objectContaining({ code: 'mcp.invalid_params' })
  for (const name of [undefined, null, 7, ['read'], {}, 'x'.repeat(257)])
    expect(() => subjectOf({ row: row('tools/call'), params: { name } })).toThrow(bad)
  for (const ref of [undefined, 'p', {}, { type: 'ref/tool', name: 'p' }, { type: 'ref/prompt', uri: 'p' }])
    expect(() => subjectOf({ row: row('completion/complete'), params: { ref } })).toThrow(bad)
})

it('takes a name as it is, whatever it looks like', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 256, unit: 'binary' }), name => {
      expect(subjectOf({ row: row('tools/call'), params: { name } })).toBe(name)
    }),
  )
})

it('lets be heard what may be asked for, and what is about nothing in particular', () => {
  const { access } = parts
  const hears = (method: string) => mayHear(access, principal, upstream, method)
  const all = [
    'notifications/resources/updated',
    'notifications/resources/list_changed',
    'notifications/prompts/list_changed',
    'notifications/tools/list_changed',
    'notifications/message',
  ]
  expect(all.map(hears)).toEqual([true, true, true, true, true])
  may = action => !/^(resource|prompt)\./.test(action)
  expect(all.map(hears)).toEqual([false, false, false, true, true])
  may = () => false
  expect(mayUse(access, principal, upstream)).toBe(false)
})
