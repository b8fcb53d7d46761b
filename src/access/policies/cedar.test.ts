import { expect, it, vi } from 'vitest'
import { prepare, reading } from './cedar.ts'

const request = {
  principal: { type: 'User', id: 'a' },
  action: { type: 'Action', id: 'tool.call' },
  resource: { type: 'Tool', id: 'g/s/t' },
  entities: [],
}
const conditional = reading(cedar =>
  cedar.policyToJson('forbid (principal, action, resource) when { context.n > 1 };'),
)
if (conditional?.type !== 'success') throw new Error('not read')
const statements = new Map([['one', conditional.json]])

it('says what is met and what cannot be evaluated', () => {
  const prepared = prepare(statements)
  const match = (n: number | string) => prepared.match({ ...request, context: { n } })
  expect(match(2)).toEqual({ met: new Set(['one']), failed: new Set() })
  expect(match(1)).toEqual({ met: new Set(), failed: new Set() })
  expect(match('2')).toEqual({ met: new Set(), failed: new Set(['one']) })
  prepared.close()
})

it('goes on after what breaks it', () => {
  const prepared = prepare(statements)
  expect(prepared.match({ ...request, context: { n: '\ud800' } })).toBeUndefined()
  expect(prepared.match({ ...request, context: { n: 2 } })?.met).toEqual(new Set(['one']))
  const deep = `permit (principal, action, resource) when {${'('.repeat(5000)}true${')'.repeat(5000)}};`
  expect(reading(cedar => cedar.policyToJson(deep))).toBeUndefined()
  expect(reading(cedar => cedar.checkParsePolicySet({ staticPolicies: '' }))).toEqual({ type: 'success' })
  expect(prepared.match({ ...request, context: { n: 1 } })?.met).toEqual(new Set())
  prepared.close()
})

it('keeps sets apart, and what it holds of one that is closed for the next', () => {
  const first = prepare(statements)
  first.close()
  const other = prepare(
    new Map([['other', { ...(statements.get('one') ?? conditional.json), conditions: [] }]]),
  )
  const third = prepare(statements)
  expect(other.match({ ...request, context: { n: 2 } })?.met).toEqual(new Set(['other']))
  expect(third.match({ ...request, context: { n: 2 } })?.met).toEqual(new Set(['one']))
})

it('is not touched where there are no policies', async () => {
  vi.resetModules()
  const touched = vi.fn()
  vi.doMock('./cedar.ts', () => ({ prepare: touched, reading: touched }))
  const { openJudge } = await import('./judge.ts')
  const granted = { allowed: true, reason: 'grant' }
  const caller = {
    id: 'a',
    kind: 'user',
    name: 'a@x',
    role: 'member',
    subjects: [],
    tokenId: undefined,
  } as const
  const target = { group: 'g', server: 's', policy: { default: 'allow', allow: [], deny: [] } } as const
  const judge = openJudge([], () => undefined)
  expect(judge.judge({ caller, target, action: 'server.use', granted })).toEqual({
    decision: granted,
    depends: false,
  })
  expect(touched).not.toHaveBeenCalled()
})
