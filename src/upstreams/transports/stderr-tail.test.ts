import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openRedaction } from './redact.ts'
import { openStderrTail } from './stderr-tail.ts'

function tailOf(text: string, secrets: readonly string[] = [], cut = 7): readonly string[] {
  const tail = openStderrTail(openRedaction(secrets))
  const bytes = Buffer.from(text)
  for (let i = 0; i < bytes.length; i += cut) tail.take(bytes.subarray(i, i + cut))
  return tail.lines()
}

describe('the tail of stderr', () => {
  it('is the last 50 lines, the unfinished one among them', () => {
    const all = Array.from({ length: 120 }, (_, i) => `line ${i}`)
    expect(tailOf(all.join('\n'))).toEqual(all.slice(-50))
    expect(tailOf(`${all.join('\r\n')}\r\n`)).toEqual(all.slice(-50))
  })

  it('has lines of at most 1000 characters, wherever the bytes were cut', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 3000 }),
        fc.integer({ min: 1, max: 5000 }),
        (text, cut) => {
          const lines = tailOf(`${text}${'ü'.repeat(5000)}\nnext\n`, [], cut)
          expect(lines.every(line => line.length <= 1000)).toBe(true)
          expect(lines.at(-1)).toBe('next')
          expect(lines).toEqual(tailOf(`${text}${'ü'.repeat(5000)}\nnext\n`, [], 1))
        },
      ),
    )
  })

  it('shows control, direction and invisible characters as escapes', () => {
    expect(tailOf('a\u001b[31mred\u0007\u202eb\u200b\tc\n')).toEqual([
      'a\\u{1b}[31mred\\u{7}\\u{202e}b\\u{200b}\\u{9}c',
    ])
  })

  it('holds nothing of a known secret, not even at its cuts', () => {
    const secret = `S${'0123456789'.repeat(30)}`
    const other = fc.string({ unit: fc.constantFrom('a', ' '), maxLength: 900 })
    const parts = fc.array(fc.oneof(fc.constant(secret), other), { maxLength: 40 })
    fc.assert(
      fc.property(parts, all => {
        for (const line of tailOf(`${all.join('-')}\n`, [secret], 4096))
          expect(line).not.toMatch(/S0|[0-9]{2}/)
      }),
      { examples: [[Array.from({ length: 40 }, () => secret)]] },
    )
  })
})
