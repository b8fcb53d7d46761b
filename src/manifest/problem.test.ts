import { describe, expect, it } from 'vitest'
import { type Path, quoted } from './problem.ts'

const server = (...rest: (string | number)[]): Path => ['servers', 0, ...rest]

describe('a value in a problem', () => {
  it.each<[string, Path, unknown]>([
    ['of a header', server('auth', 'headers', 'X-Any'), 'hush'],
    ['in place of headers', server('auth', 'headers'), 'hush'],
    ['in place of auth', server('auth'), 'hush'],
    ['of a key that auth does not have', server('auth', 'password'), 'hush'],
    ['of a variable', server('transport', 'env', 'ANY'), 'hush'],
    ['in place of variables', server('transport', 'env'), ['hush']],
    ['of a misplaced key', server('apiKey'), 'hush'],
    ['of a whole', server('transport'), { env: { ANY: 'hush' } }],
    ['with a password in it', server('transport', 'url'), 'https://me:hush@h/'],
  ])('is left out where a secret may stand: %s', (_, path, value) => {
    expect(quoted(path, value)).toEqual({})
  })

  it.each<[string, Path, unknown, string]>([
    ['kind of auth', server('auth', 'kind'), 'oauth2', '"oauth2"'],
    ['plain address', server('transport', 'url'), 'htp://h', '"htp://h"'],
    ['subject', ['groups', 0, 'access', 1, 'subject'], 'teem:x', '"teem:x"'],
  ])('is shown elsewhere: %s', (_, path, value, shown) => {
    expect(quoted(path, value)).toEqual({ value: shown })
  })
})
