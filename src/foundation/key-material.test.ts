import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import { GatewayError } from './errors.ts'
import { readKey, readKeyFile } from './key-material.ts'

const invalid = (why: string) =>
  expect.objectContaining({ code: 'config.invalid', why: expect.stringContaining(why) })

function thrownBy(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

it('reads 32 random bytes however they are written', () => {
  const key = randomBytes(32)
  for (const text of ['base64', 'base64url', 'hex'] as const)
    expect(readKey(` ${key.toString(text)}\n`, 'K')).toEqual(key)
})

it('reads nothing else, and never tells what it read', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), fc.string({ unit: 'binary' })), text => {
      fc.pre(!/^(?:[A-Za-z0-9+/_-]{43}=?|[0-9a-fA-F]{64})$/.test(text.trim()))
      const error = thrownBy(() => readKey(text, 'K'))
      const said = error instanceof GatewayError ? `${error.code} ${error.why} ${error.fix}` : ''
      expect(said).toContain('config.invalid K does not hold a key')
      if (text.length > 8) expect(said).not.toContain(text)
    }),
    { numRuns: 30 },
  )
})

it('T145: refuses examples, and what people make up', () => {
  const guessable = [
    Buffer.alloc(32),
    Buffer.alloc(32, 7),
    Buffer.from(Array.from({ length: 32 }, (_, at) => at)),
    Buffer.from(Array.from({ length: 32 }, (_, at) => 255 - at)),
    Buffer.from('00112233445566778899aabbccddeeff'.repeat(2), 'hex'),
    Buffer.from('0123456789abcdefghijklmnopqrstuv'),
    Buffer.from('change-me-change-me-change-me-00'),
  ]
  for (const key of guessable)
    for (const text of ['base64', 'hex'] as const)
      expect(() => readKey(key.toString(text), 'The file x')).toThrow(invalid('The file x holds an example'))
})

it('T145: reads no file that others can read, and says how to repair it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-key-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'kek')
  expect(() => readKeyFile(file, 'The key')).toThrow(invalid('cannot be read'))
  writeFileSync(file, randomBytes(32).toString('base64'), { mode: 0o600 })
  expect(readKeyFile(file, 'The key')).toHaveLength(32)
  for (const mode of [0o604, 0o640, 0o660]) {
    chmodSync(file, mode)
    expect(() => readKeyFile(file, 'The key')).toThrow(expect.objectContaining({ fix: `chmod 600 ${file}` }))
  }
})
