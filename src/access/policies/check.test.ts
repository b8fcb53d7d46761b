import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkPolicy } from './check.ts'
import type { Names } from './offers.ts'

const object = (properties: Record<string, unknown>) => ({ type: 'object', properties })
const path = { type: 'string' }

const names: Names = {
  teams: new Set(['eng', 'ops']),
  accounts: new Set(['nightly']),
  groups: new Set(['office']),
  offers: [
    {
      group: 'office',
      server: 'files',
      tools: [
        {
          name: 'read',
          inputSchema: object({ path, head: { type: 'integer' }, tags: { type: 'array', items: path } }),
        },
        { name: 'write', inputSchema: object({ path, count: { type: 'string' } }) },
      ],
    },
    {
      group: 'office',
      server: 'db',
      tools: [
        {
          name: 'query',
          inputSchema: {
            ...object({
              count: { type: 'integer' },
              amount: { type: ['number', 'null'] },
              by: { $ref: '#/$defs/by' },
              odd: { anyOf: [{ type: 'string' }, { type: 'integer' }] },
            }),
            $defs: { by: object({ name: { enum: ['a', 'b'] }, deep: object({ yes: { type: 'boolean' } }) }) },
          },
        },
      ],
    },
    { group: 'office', server: 'new', tools: undefined },
  ],
}

const call = 'action == Action::"tool.call"'
const problems = (text: string) =>
  checkPolicy(text, names).problems.map(({ line, column, why, fix }) => `${line}:${column} ${why} ${fix}`)

describe('a good policy', () => {
  it.each([
    `permit (principal, action, resource);`,
    `forbid (principal in Team::"eng", ${call}, resource in Server::"office/files") when { context.arguments has path && context.arguments.path like "/etc/*" };`,
    `forbid (principal, action, resource in Server::"office/files") when { context.arguments has path && context.arguments.path like "/etc/*" };`,
    `permit (principal == Account::"nightly", ${call}, resource == Tool::"office/db/query") unless { context.hour > 6 && context.weekday < 6 };`,
    `forbid (principal, ${call}, resource == Tool::"office/db/query") when { context.arguments has amount && context.arguments.amount.greaterThan(decimal("10.5")) };`,
    `forbid (principal, ${call}, resource == Tool::"office/db/query") when { context.arguments has by.deep.yes && context.arguments.by.deep.yes };`,
    `forbid (principal, ${call}, resource == Tool::"office/files/read") when { context.arguments has tags && context.arguments.tags.contains("x") };`,
    `permit (principal == User::"not.yet@x.io", action in Action::"use", resource in Group::"office") when { !context.address.isLoopback() };`,
    `permit (principal, action == Action::"prompt.get", resource == Prompt::"office/files/hello") when { context.arguments has topic && context.arguments.topic == "x" };`,
    `forbid (principal, ${call}, resource in Group::"office") unless { context.weekday <= 5 && context.hour >= 7 && context.hour < 18 };`,
    `forbid (principal, action == Action::"resource.read", resource) when { resource.uri like "secret:*" };`,
    `// one\npermit (principal, action, resource in Group::"office");\n// two\n@reason("no") forbid (principal, action, resource is Tool) unless { resource.readOnly };`,
  ])('%s', text => expect(checkPolicy(text, names)).toEqual({ problems: [], warnings: [] }))
})

describe('a mistake', () => {
  it.each([
    ['permit (principal action, resource);', '1:19 Unexpected token `action`.'],
    ['', '1:1 There is no statement in it.'],
    ['permit (principal == ?principal, action, resource);', '1:1 Templates'],
    [`permit (principal in Team::"egn", action, resource);`, '1:28 There is no team egn. Did you mean eng?'],
    [
      `permit (principal == Account::"nightlly", action, resource);`,
      '1:31 There is no virtual account nightlly. Did you mean nightly?',
    ],
    [
      `permit (principal, action, resource in Group::"ofice");`,
      '1:47 There is no group ofice. Did you mean office?',
    ],
    [
      `permit (principal, action, resource in Server::"office/flies");`,
      '1:48 There is no server office/flies. Did you mean office/files?',
    ],
    [
      `permit (principal, ${call}, resource == Tool::"office/files/raed");`,
      '1:69 There is no tool raed in office/files. Did you mean read?',
    ],
    [
      `permit (principal, ${call}, resource == Tool::"office/filez/read");`,
      '1:69 There is no server office/filez. Did you mean Tool::"office/files/read"?',
    ],
    [`permit (principal, ${call}, resource) when { principal in Team::"egn" };`, 'There is no team egn.'],
    [
      `permit (principal, action == Action::"tool.cal", resource);`,
      '1:38 There is no action tool.cal. Did you mean tool.call?',
    ],
    [
      `forbid (principal, ${call}, resource in Server::"office/files")\n  when { context.arguments has pth };`,
      '2:32 No tool in the scope of the statement takes an argument pth. Did you mean path?',
    ],
    [
      `forbid (principal, ${call}, resource in Server::"office/files") when { context.arguments.path == "a" };`,
      'Unable to guarantee safety of access to optional attribute',
    ],
    [
      `forbid (principal, ${call}, resource in Server::"office/files") when { context.arguments has head && context.arguments.head == "a" };`,
      'The types Long and String are not compatible.',
    ],
    [
      `forbid (principal, ${call}, resource == Tool::"office/db/query") when { context.arguments has odd };`,
      'Argument odd has no single type in office/db/query. Narrow the resource.',
    ],
    [
      `forbid (principal is User, ${call}, resource) when { principal.emial == "a" };`,
      'Did you mean `email`?',
    ],
    [`forbid (principal, ${call}, resource == Server::"office/files");`, 'never'],
    [`forbid (principal, action, resource) when { false };`, 'impossible'],
  ])('%s', (text, expected) => {
    if (expected === 'never') return expect(problems(text)).not.toEqual([])
    expect(problems(text).join('\n')).toContain(expected)
  })

  it('about an argument that two tools mean differently names both', () => {
    const known = { ...names, offers: names.offers.slice(0, 2) }
    const text = `forbid (principal, ${call}, resource) when { context.arguments has count };`
    expect(checkPolicy(text, known).problems).toEqual([
      {
        line: 1,
        column: 90,
        why: 'Argument count is String in office/files/write and Long in office/db/query.',
        fix: 'Narrow the resource.',
      },
    ])
  })

  it('is found in each statement, each at its place, however letters are written', () => {
    const text = `// ünïcödé 👋\n@reason("é")\npermit (principal in Team::"égal", action, resource);\npermit (principal,\n  action == Action::"x", resource);`
    expect(problems(text)).toEqual([
      '3:28 There is no team égal. Correct the name, or add it first.',
      '5:21 There is no action x. Correct the name, or add it first.',
    ])
  })

  it('of syntax is told with all others', () => {
    const text = 'permit (principal, action, resource) when { 1 + };\nforbid (principal, action resource);'
    expect(problems(text).map(each => each.split(' ')[0])).toEqual(['1:49', '2:27'])
  })
})

describe('what was never read', () => {
  it('is taken, with a warning', () => {
    const tool = checkPolicy(`permit (principal, ${call}, resource == Tool::"office/new/x");`, names)
    expect(tool).toEqual({ problems: [], warnings: [expect.objectContaining({ line: 1, column: 69 })] })
    const argument = checkPolicy(
      `forbid (principal, ${call}, resource in Server::"office/new") when { context.arguments.a == 1 };`,
      names,
    )
    expect(argument.problems).toEqual([])
    expect(argument.warnings[0]).toMatchObject({ why: expect.stringContaining('office/new was never read') })
  })
})

describe('hostile text', () => {
  const inside = (condition: string) => `permit (principal, action, resource) when { ${condition} };`
  it.each([
    ['parentheses', inside(`${'('.repeat(5000)}true${')'.repeat(5000)}`)],
    ['records', inside(`${'{"a":'.repeat(60)}1${'}'.repeat(60)} == 1`)],
    ['members', inside(`context${'.a'.repeat(7000)}`)],
    ['a chain', inside(`true${' || true'.repeat(2000)}`)],
    ['conditions', inside(`${'if true then true else '.repeat(600)}true`)],
    ['methods', inside(`[1]${'.contains(1)'.repeat(1000)}`)],
    ['many statements', 'permit (principal, action, resource);'.repeat(51)],
  ])('%s is refused, and the next is read as ever', (_, text) => {
    expect(problems(text)).not.toEqual([])
    expect(problems(inside('true'))).toEqual([])
  })

  it('of any kind never throws', () => {
    const word = fc.constantFrom(
      'permit',
      'forbid',
      '(',
      ')',
      'principal',
      ',',
      'action',
      'resource',
      ';',
      'when',
      '{',
      '}',
      '==',
      '"',
      'Team::"eng"',
      '@reason',
      '\u0000',
      '\ud800',
      '👋',
      '?principal',
      '1.5',
      '//',
      '\n',
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), words => {
        for (const { line, column } of checkPolicy(words.join(' '), names).problems)
          expect(line > 0 && column > 0).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})
