import fc from 'fast-check'
import { expect, it } from 'vitest'
import { malformedReference, missingIn, referencesIn, resolveReferences } from './references.ts'

const env = (name: string) => `\${${name}}`

it('replaces every reference by its value and leaves the rest alone', () => {
  const text = `Bearer ${env('env:TOKEN')}, ${env('file:/run/secrets/a b')}${env('env:TOKEN')}`
  expect(referencesIn(text)).toEqual(['env:TOKEN', 'file:/run/secrets/a b'])
  expect(resolveReferences(text, { 'env:TOKEN': 'x', 'file:/run/secrets/a b': 'y\n' })).toBe('Bearer x, yx')
})

it('never looks into values for further references', () => {
  const secrets = { 'env:A': env('env:B'), 'env:B': 'b' }
  expect(resolveReferences(env('env:A'), secrets)).toBe(env('env:B'))
  expect(resolveReferences(env('env:A'), { 'env:A': '$&$1' })).toBe('$&$1')
})

it('names what is missing, and takes nothing from the prototype', () => {
  expect(missingIn(`${env('env:A')}${env('env:B')}`, { 'env:A': '' })).toEqual(['env:B'])
  expect(() => resolveReferences(env('env:constructor'), {})).toThrow(
    expect.objectContaining({
      code: 'vault.secret_missing',
      why: expect.stringContaining('env:constructor'),
    }),
  )
})

it('says how a reference is written that is not', () => {
  for (const bad of ['DB_TOKEN', 'env:', 'env:A-B', 'file:relative', 'vault:x', '', 'env:A\n'])
    expect(malformedReference(`Bearer ${env(bad)}`)).toContain('write')
  expect(malformedReference(env('DB_TOKEN'))).toContain(env('env:DB_TOKEN'))
  expect(malformedReference('$HOME, $5 and {x}')).toBeUndefined()
  expect(() => resolveReferences(env('DB_TOKEN'), { 'env:DB_TOKEN': 'x' })).toThrow(
    expect.objectContaining({ code: 'vault.secret_missing' }),
  )
})

it('is the text itself when there is no reference in it', () => {
  fc.assert(
    fc.property(
      fc.string().filter(text => !text.includes('${')),
      text => {
        expect(resolveReferences(text, {})).toBe(text)
      },
    ),
  )
})
