import { expect, it } from 'vitest'
import { nearest } from './nearest.ts'

it.each([
  ['prot', 'port'],
  ['hots', 'host'],
  ['PORT', 'port'],
  ['callsecond', 'callSeconds'],
  ['zzzz', undefined],
  ['', undefined],
])('%s means %s', (word, meant) => {
  expect(nearest(word, ['host', 'port', 'callSeconds'])).toBe(meant)
})
