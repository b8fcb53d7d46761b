import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manifestJsonSchema } from './index.ts'
import { readSource } from './source.ts'
import { validate } from './validate.ts'

function problemsOf(text: string) {
  const read = readSource(text)
  if ('problems' in read) return read.problems
  const validated = validate(read.source)
  return 'problems' in validated ? validated.problems : []
}

const brief = (text: string) => problemsOf(text).map(({ line, path, fix }) => [line, path, fix])

describe('the shape of a manifest', () => {
  it('is reported whole, with lines and what was meant', () => {
    const text = `usrs: []
users:
  - email: not an address
    role: amdin
  - emial: ana@x.io
groups:
  - name: Engineering
    managers: [lead@x.io]
    acces: []
    access:
      - subject: everybody
        tools: readonly
servers:
  - group: eng
    name: a
    transport: { kind: streamable-htp, url: "https://x.example.com" }
  - group: eng
    name: b
    transport: { kind: stdio, comand: npx, instance: per-usr }
  - group: eng
    name: c
    transport: { kind: streamable-http, url: "ftp://x", allowPrivateNetwork: yes }
    auth: { kind: kerberos }
    tools: { default: alow }
virtualServers:
  - name: safe
    group: eng
    sources:
      - server: files
        tools:
          - read
          - { name: echo, ass: say_back, arguments: { message: { descripton: what } } }
      - server: eng/b
        tools: readonly
`
    expect(brief(text).toSorted(([a], [b]) => Number(a) - Number(b))).toEqual([
      [1, 'usrs', 'Did you mean users?'],
      [3, 'users[0].email', 'Correct the value.'],
      [4, 'users[0].role', 'Did you mean admin?'],
      [5, 'users[1].email', 'Add it.'],
      [5, 'users[1].emial', 'Did you mean email?'],
      [7, 'groups[0].name', 'Correct the value.'],
      [8, 'groups[0].managers[0]', 'Correct the value.'],
      [9, 'groups[0].acces', 'Did you mean access?'],
      [11, 'groups[0].access[0].subject', 'Correct the value.'],
      [12, 'groups[0].access[0].tools', 'Did you mean readOnly?'],
      [16, 'servers[0].transport.kind', 'Did you mean streamable-http?'],
      [19, 'servers[1].transport.command', 'Add it.'],
      [19, 'servers[1].transport.instance', 'Did you mean per-user?'],
      [19, 'servers[1].transport.comand', 'Did you mean command?'],
      [22, 'servers[2].transport.url', 'Correct the value.'],
      [22, 'servers[2].transport.allowPrivateNetwork', 'Correct the value.'],
      [
        23,
        'servers[2].auth.kind',
        'Write one of: none, headers, environment, oauth2, client-credentials, token-exchange, id-jag, pass-through.',
      ],
      [24, 'servers[2].tools.default', 'Did you mean allow?'],
      [29, 'virtualServers[0].sources[0].server', 'Correct the value.'],
      [32, 'virtualServers[0].sources[0].tools[1].arguments.message.descripton', 'Did you mean description?'],
      [32, 'virtualServers[0].sources[0].tools[1].ass', 'Did you mean as?'],
      [34, 'virtualServers[0].sources[1].tools', 'Did you mean readOnly?'],
    ])
  })

  it('shows the value that is wrong, except where secrets stand', () => {
    const [problem] = problemsOf('users: [{ email: ana@x.io, role: boss }]')
    expect(problem?.value).toBe('"boss"')
    const secret = problemsOf(
      'servers: [{ group: a, name: b, transport: { kind: sse, url: "https://x.io" }, auth: { kind: headers, headers: { X-Key: [topsecret] } } }]',
    )
    expect(secret).toHaveLength(1)
    expect(JSON.stringify(secret)).not.toContain('topsecret')
  })

  it('takes oauth2 with nothing else, and says which member of it is unknown', () => {
    const oauth = (more: string) =>
      `servers: [{ group: a, name: b, transport: { kind: sse, url: "https://x.io" }, auth: { kind: oauth2${more} } }]`
    expect(problemsOf(oauth(''))).toEqual([])
    expect(problemsOf(oauth(', scope: [repo]'))[0]?.fix).toBe('Did you mean scopes?')
  })

  it('has a JSON Schema that names every section and describes the kinds', () => {
    const schema = manifestJsonSchema()
    expect(Object.keys(schema.properties as object)).toEqual([
      'identityProviders',
      'users',
      'teams',
      'virtualAccounts',
      'oauthClients',
      'groups',
      'servers',
      'policies',
      'virtualServers',
    ])
    expect(JSON.stringify(schema)).toMatch(/streamable-http.*stdio/)
    expect(schema.additionalProperties).toBe(false)
  })
})

describe('the text of a manifest', () => {
  it.each([
    ['users: [\n  - x', 2],
    ['users: []\nusers: []', 2],
    ['a: &x [1]\nb: *x', 2],
    ['users: []\n__proto__: {}', 2],
    ['users: !!js/function x', 1],
    ['users: []\n---\nusers: []', 2],
    ['\tusers: []', 1],
  ])('is refused with its line: %j', (text, line) => {
    const problems = problemsOf(text)
    expect(problems.length).toBeGreaterThan(0)
    expect(problems[0]?.line).toBe(line)
  })

  it('is refused when it is too large or too deep, and bombs stay small', () => {
    expect(problemsOf(`# ${'x'.repeat(1024 * 1024)}`)[0]?.why).toContain('1 MiB')
    expect(problemsOf('['.repeat(100_000))).not.toEqual([])
    const bomb = [
      'a: &a [x,x]',
      ...'bcdefghij'.split('').map((key, i) => `${key}: &${key} [*${'abcdefghij'[i]},*${'abcdefghij'[i]}]`),
    ]
    expect(problemsOf(bomb.join('\n')).every(problem => problem.why.includes('Aliases'))).toBe(true)
  })

  it('never makes reading throw, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json(), fc.string({ unit: fc.constantFrom(...'[]{}:-"\'&*!|>\n a') })),
        text => {
          expect(Array.isArray(problemsOf(text))).toBe(true)
        },
      ),
    )
  })

  it('is an object', () => {
    for (const text of ['[]', '5', 'hello']) expect(problemsOf(text)).toHaveLength(1)
    expect(problemsOf('')).toEqual([])
  })
})
