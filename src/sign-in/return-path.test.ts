import fc from 'fast-check'
import { expect, it } from 'vitest'
import { returnPath } from './return-path.ts'

const ours = 'https://gateway.example.com'

it('keeps paths of ours, with what they ask', () => {
  for (const path of ['/account', '/oauth/authorize?client_id=a&x=%2F', '/a/b#c', '/%2f%2fevil.example'])
    expect(returnPath(path)).toBe(path)
  expect(returnPath(undefined)).toBe('/account')
})

it('T127: goes to nobody else', () => {
  for (const asked of [
    '',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/.//evil.example',
    '/x/..//evil.example',
    'https:evil.example',
    'https://evil.example',
    '%2f%2fevil.example',
    'javascript:alert(1)',
    ' //evil.example',
    '/\t/evil.example',
    '/\r\nlocation: https://evil.example',
    '/\u0000',
    '/ä',
    `/${'a'.repeat(5000)}`,
  ])
    expect(returnPath(asked), asked).toBe('/account')
})

it('T127: stays on our origin, whatever is asked', () => {
  const hostile = fc.stringMatching(/^[/\\.:@%#?\t\r\n a-z0-9]{0,20}$/)
  fc.assert(
    fc.property(fc.oneof(hostile, fc.webUrl(), fc.string()), asked => {
      const path = returnPath(asked)
      expect(path.startsWith('/')).toBe(true)
      expect(new URL(path, `${ours}/sign-in`).origin).toBe(ours)
      expect(path).not.toMatch(/[\s\\]/)
    }),
    { numRuns: 3000 },
  )
})
