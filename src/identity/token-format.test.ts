import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newToken, tokenKind } from './token-format.ts'

const kinds = fc.constantFrom('pat' as const, 'vat' as const)
const token = kinds.map(newToken)
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

describe('tokens', () => {
  it('have a prefix, 43 random characters and 6 of checksum', () => {
    expect(newToken('pat')).toMatch(/^gth_pat_[0-9A-Za-z]{49}$/)
    expect(newToken('vat')).toMatch(/^gth_vat_[0-9A-Za-z]{49}$/)
  })

  it('are recognised, with their kind', () => {
    fc.assert(fc.property(kinds, kind => tokenKind(newToken(kind)) === kind))
  })

  it('keep this checksum for ever', () => {
    const rest = `gth_pat_${'0123456789'.repeat(5).slice(0, 43)}`
    expect(tokenKind(`${rest}2qIPdh`)).toBe('pat')
  })

  it('are refused with any one character changed', () => {
    const change = fc.record({
      token,
      at: fc.nat(56),
      to: fc.constantFrom(...base62, '_', ' ', '\u0000', 'é'),
    })
    fc.assert(
      fc.property(change, ({ token, at, to }) => {
        fc.pre(token[at] !== to)
        expect(tokenKind(token.slice(0, at) + to + token.slice(at + 1))).toBeUndefined()
      }),
      { numRuns: 2000 },
    )
  })

  it('are refused cut, extended, and made of anything else', () => {
    const isRefused = (text: string) => tokenKind(text) === undefined
    fc.assert(fc.property(token, fc.nat(56), (whole, end) => isRefused(whole.slice(0, end))))
    fc.assert(fc.property(token, fc.string({ minLength: 1 }), (whole, more) => isRefused(whole + more)))
    fc.assert(fc.property(fc.string({ unit: 'binary' }), isRefused))
  })

  it('use every character equally often', () => {
    const counts = new Map<string, number>()
    for (let i = 0; i < 4000; i++) {
      for (const character of newToken('pat').slice(8, 51))
        counts.set(character, (counts.get(character) ?? 0) + 1)
    }
    const expected = (4000 * 43) / 62
    const chiSquare = [...base62].reduce(
      (sum, it) => sum + ((counts.get(it) ?? 0) - expected) ** 2 / expected,
      0,
    )
    // 61 degrees of freedom: beyond 140 about once in ten million runs; the modulo bias would give over 1000.
    expect(chiSquare).toBeLessThan(140)
  })

  it('never come twice', () => {
    expect(new Set(Array.from({ length: 10_000 }, () => newToken('vat'))).size).toBe(10_000)
  })
})
