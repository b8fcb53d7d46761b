import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { unseen } from '../foundation/visible.ts'
import { definitionHash } from '../upstreams/index.ts'
import { type Lock, readLock, writeLock } from './lock-text.ts'

const tool = (text: string) => {
  const value: unknown = JSON.parse(text)
  return { name: (value as { name: string }).name, hash: definitionHash(text, value), text }
}
const whole = (definition: object) => tool(JSON.stringify(definition))
const lockOf = (...definitions: object[]): Lock => new Map([['lab/work', definitions.map(whole)]])

function read(text: string) {
  const found = readLock(text)
  return 'problems' in found ? found.problems.map(({ line, why }) => `${line}: ${why}`) : found.lock
}

const hashesOf = (lock: Lock) =>
  [...lock].map(([server, tools]) => [server, tools.map(({ name, hash }) => `${name} ${hash}`).sort()])

describe('a lockfile', () => {
  it('reads as it was written, whatever the definitions say', () => {
    // Tools of this one name are never approved.
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).filter(own => own !== '__proto__')
    const definitions = fc.uniqueArray(
      fc.tuple(name, fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' }))),
      { selector: ([one]) => one, minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(definitions, some => {
        const lock = lockOf(...some.map(([own, rest]) => ({ ...rest, name: own })))
        const text = writeLock(lock)
        const again = read(text)
        if (Array.isArray(again)) throw new Error(`${again.join('\n')}\n${text}`)
        expect(hashesOf(again as Lock)).toEqual(hashesOf(lock))
        // What nobody sees would hide in a review.
        expect(unseen.test(text.replaceAll(/[\n\t]/g, ''))).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it('is the same for the same, in whatever order, and reads well', () => {
    const one = {
      name: 'one',
      description: 'First.\nSecond.',
      inputSchema: { type: 'object', properties: {} },
    }
    const other = {
      inputSchema: { properties: {}, type: 'object' },
      description: 'First.\nSecond.',
      name: 'one',
    }
    const more = { name: 'more' }
    const text = writeLock(lockOf(one, more))
    expect(writeLock(lockOf(more, other))).toBe(text)
    expect(text).toContain('# The approved tools. Written by: gatehouse export --lock')
    expect(text).toMatch(/^version: 1\nservers:\n {2}lab\/work:\n {4}more:\n {6}hash: [0-9a-f]{64}\n/m)
    expect(text).toContain(
      '        description: |-\n          First.\n          Second.\n        inputSchema:\n',
    )
  })

  it('keeps what plain data cannot say as it was written', () => {
    const odd = tool('{"name":"odd","description":"a","description":"b"}')
    const text = writeLock(new Map([['lab/work', [odd]]]))
    expect(hashesOf(read(text) as Lock)).toEqual([['lab/work', [`odd ${odd.hash}`]]])
  })
})

describe('a text that is no lockfile', () => {
  const good = writeLock(lockOf({ name: 'one', description: 'First.' }))

  it.each([
    ['a definition that was changed', good.replace('First.', 'Second.'), '7: The definition of one is not'],
    ['a hash that was changed', good.replace(/[0-9a-f]{64}/, 'a'.repeat(64)), '7: The definition of one is'],
    ['a name that was changed', good.replace('    one:', '    two:'), '7: The definition of two is not'],
    ['a server without tools', 'version: 1\nservers:\n  lab/work: {}\n', '3: lab/work has no tools here.'],
    ['another version', 'version: 2\nservers: {}\n', '1: Invalid input: expected 1.'],
    ['no server', 'version: 1\nservers:\n  work: {}\n', '3: '],
    ['a list', '- 1\n', '1: Invalid input: expected object, received array.'],
    ['no YAML', 'a: b: c', '1: Nested mappings'],
    ['a bomb', 'a: &a [1]\nb: *a\n', '2: Aliases are not accepted.'],
    ['too much', `a: ${'b'.repeat(5_000_000)}`, 'null: The lockfile is larger than 4 MiB.'],
    [
      'a torn text',
      good.replace('description: First.', '').replace('definition:', 'text: "{"'),
      '7: The definition',
    ],
  ])('such as %s is refused with its line', (_, text, problem) => {
    const found = read(text)
    expect(Array.isArray(found) ? found[0] : found).toContain(problem)
  })
})
