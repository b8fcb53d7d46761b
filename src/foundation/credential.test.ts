import { expect, it } from 'vitest'
import { isCredentialName, isCredentialValue } from './credential.ts'

it.each([
  'Authorization',
  'X-Api-Key',
  'apiKey',
  'API_KEY',
  'access_token',
  'DB_PASSWORD',
  'client-secret',
  'Cookie',
  'DSN',
  'sessionId',
  'X-Signature',
  'sig',
  'private_key',
])('takes %s for the name of a secret', name => {
  expect(isCredentialName(name)).toBe(true)
})

it.each([
  'LOG_LEVEL',
  'X-Region',
  'author',
  'max_tokens',
  'tokenizer',
  'keyboard',
  'monkey',
  'design',
  'DATABASE',
])('takes %s for an ordinary name', name => {
  expect(isCredentialName(name)).toBe(false)
})

it.each([
  'Bearer abc',
  'gth_pat_x',
  'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.',
  'ghp_0123456789abcdef0123',
  'sk-0123456789abcdef0123',
  'postgres://user:pw@db/x',
])('takes %s for a secret', value => {
  expect(isCredentialValue(value)).toBe(true)
})

it.each([
  'info',
  'eu-west-1',
  'postgres://db/x',
  'https://x.example.com/a?b=c',
  'the bearer',
  '550e8400-e29b-41d4-a716-446655440000',
])('takes %s for an ordinary value', value => {
  expect(isCredentialValue(value)).toBe(false)
})
