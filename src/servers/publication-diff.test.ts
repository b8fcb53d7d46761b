import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ArgumentRule, Definition } from './definition.ts'
import { diffPublications } from './publication-diff.ts'

const said = (from: Definition, to: Definition) => diffPublications(from, to).map(({ sentence }) => sentence)
const of = (...sources: Definition['sources']): Definition => ({ sources })
const echo = (rule: ArgumentRule | undefined, more = {}) =>
  of({
    server: 'lab/echo',
    tools: [{ name: 'echo', ...more, ...(rule === undefined ? {} : { arguments: { locale: rule } }) }],
  })

describe('what was changed between two definitions', () => {
  it('says which sources came and went, and what is taken of them', () => {
    expect(said(of(), of({ server: 'lab/echo' }))).toEqual(['lab/echo is a source now: everything of it.'])
    expect(
      said(
        of({ server: 'lab/echo' }),
        of({ server: 'lab/files', tools: ['read_*', { name: 'list', as: 'ls' }], prompts: 'all' }),
      ),
    ).toEqual([
      'lab/echo is no source any more.',
      'lab/files is a source now: the tools read_*, list; all prompts.',
    ])
    expect(said(of({ server: 'a/b', tools: 'all' }), of({ server: 'a/b', tools: 'readOnly' }))).toEqual([
      'Of a/b it takes the tools that are confirmed to only read, before: all tools.',
    ])
    expect(said(of({ server: 'a/b' }), of({ server: 'a/b', tools: ['x'] }))).toEqual([
      'Of a/b it takes the tools x, before: all tools.',
      'Of a/b it takes no resources, before: all resources.',
      'Of a/b it takes no prompts, before: all prompts.',
    ])
    const fixed = of({ server: 'a/b', tools: [{ name: 'x', as: 'y', arguments: { n: { value: 1 } } }] })
    expect(said(of({ server: 'a/b', tools: 'all' }), fixed)).toEqual([
      'Of a/b it takes the tools x, before: all tools.',
      'x of a/b is called y.',
      'The argument n of x of a/b is always 1.',
      'The argument n of x of a/b is hidden from callers.',
    ])
    expect(said(fixed, of({ server: 'a/b', tools: 'all' })).slice(1)).toEqual([
      'x of a/b has the name that it gets by rule, no longer y.',
      'The argument n of x of a/b may be set by callers again.',
      'The argument n of x of a/b is shown to callers.',
    ])
  })

  it('says which things came, went and were renamed or described', () => {
    const before = of({ server: 'a/b', tools: ['gone', 'same', { name: 'x', as: 'old', title: 'X' }] })
    const after = of({
      server: 'a/b',
      tools: ['new', 'same', { name: 'x', as: 'now', description: 'Does it.' }],
    })
    expect(diffPublications({ ...before, instructions: 'Hi' }, after)).toEqual([
      {
        kind: 'instructions',
        from: 'Hi',
        sentence: 'What a model is told about the whole server was removed.',
      },
      expect.objectContaining({ kind: 'removed', source: 'a/b', part: 'tools', name: 'gone' }),
      expect.objectContaining({ kind: 'added', sentence: 'new of a/b is taken now.' }),
      expect.objectContaining({
        kind: 'renamed',
        from: 'old',
        to: 'now',
        sentence: 'x of a/b is called now, no longer old.',
      }),
      expect.objectContaining({ kind: 'title', from: 'X', sentence: 'The title of x of a/b was removed.' }),
      expect.objectContaining({ kind: 'description', to: 'Does it.' }),
    ])
  })

  it.each<[ArgumentRule | undefined, ArgumentRule | undefined, string[]]>([
    [undefined, { value: 'en' }, ['argument-fixed is always "en"', 'argument-hidden is hidden from callers']],
    [{ value: 'en' }, { value: 'de' }, ['argument-fixed is always "de"']],
    [{ value: 'en' }, { value: 'en', hidden: false }, ['argument-shown is shown to callers']],
    [
      { value: 'en' },
      undefined,
      ['argument-freed may be set by callers again', 'argument-shown is shown to callers'],
    ],
    [undefined, { default: 5 }, ['argument-default is 5 when left out']],
    [{ default: 5 }, { default: 0 }, ['argument-default is 0 when left out']],
    [{ default: 5 }, undefined, ['argument-default has no default of its own any more']],
    [undefined, { enum: ['a', 'b'] }, ['argument-narrowed must be one of ["a","b"]']],
    [{ enum: ['a', 'b'] }, { enum: ['b'] }, ['argument-narrowed must be one of ["b"]']],
    [{ enum: ['b'] }, { enum: ['b', 'c'] }, ['argument-widened must be one of ["b","c"]']],
    [{ enum: ['b'] }, undefined, ['argument-widened may be any value again']],
    [undefined, { minimum: 1 }, ['argument-narrowed must be at least 1']],
    [{ minimum: 5 }, { minimum: 1 }, ['argument-widened must be at least 1']],
    [{ maximum: 5 }, { maximum: 1 }, ['argument-narrowed must be at most 1']],
    [{ maximum: 5 }, {}, ['argument-widened has no maximum of its own any more']],
    [undefined, { description: 'x' }, ['argument-description is described in other words']],
    [undefined, { hidden: true }, ['argument-hidden is hidden from callers']],
  ])('says of an argument that was %j and is %j: %j', (from, to, wanted) => {
    const found = diffPublications(echo(from), echo(to))
    expect(found.map(({ kind, sentence }) => `${kind} ${sentence}`)).toEqual(
      wanted.map(text => {
        const [kind, ...words] = text.split(' ')
        return `${kind} The argument locale of echo of lab/echo ${words.join(' ')}.`
      }),
    )
  })

  it('is nothing where only the order differs, and something where anything else does', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 1, maxLength: 5 })
    const sources = fc.uniqueArray(
      fc.record({ server: fc.stringMatching(/^[a-z]{1,5}\/[a-z]{1,5}$/), tools: names }),
      { selector: ({ server }) => server, minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(sources, all => {
        const turned = all.map(({ server, tools }) => ({ server, tools: tools.toReversed() })).toReversed()
        expect(diffPublications(of(...all), of(...turned))).toEqual([])
        const [first, ...rest] = all
        if (first === undefined) return
        const more = { ...first, tools: [...first.tools, 'one-more'] }
        expect(said(of(...all), of(more, ...rest))).toEqual([`one-more of ${first.server} is taken now.`])
      }),
    )
  })

  it('shows no character that nobody sees', () => {
    const hidden = `a${String.fromCodePoint(0x202e)}b`
    expect(said(of({ server: 'a/b', tools: ['x'] }), of({ server: 'a/b', tools: ['x', hidden] }))).toEqual([
      'a\\u{202e}b of a/b is taken now.',
    ])
  })
})
