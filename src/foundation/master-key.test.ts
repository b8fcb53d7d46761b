import { createHash } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openMasterKey } from './master-key.ts'

describe('openMasterKey', () => {
  let dataDir: string
  let file: string

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-key-'))
    file = join(dataDir, 'keys', 'master.key')
  })
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

  it('makes a key for its owner only, and finds it again', () => {
    const first = openMasterKey(dataDir).derive('a')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(dataDir, 'keys')).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(dataDir, 'keys'))).toEqual(['master.key'])
    expect(openMasterKey(dataDir).derive('a')).toEqual(first)
  })

  it('derives 32 bytes that differ by label and by instance', () => {
    const key = openMasterKey(dataDir)
    const other = openMasterKey(join(dataDir, 'other'))
    expect(key.derive('a')).toHaveLength(32)
    expect(key.derive('a')).not.toEqual(key.derive('b'))
    expect(key.derive('a')).not.toEqual(other.derive('a'))
  })

  it('derives the same from the same key for ever', () => {
    openMasterKey(dataDir)
    writeFileSync(file, createHash('sha256').update('a key of this test').digest('base64url'))
    expect(openMasterKey(dataDir).derive('pin').toString('hex')).toBe(
      'af3428c23cbb3d15900ebe90b60af5b04b05fd03d2f7f80bfdb0eacb393b28aa',
    )
  })

  it.each([0o640, 0o604, 0o660])('refuses a key with mode %o', mode => {
    openMasterKey(dataDir)
    chmodSync(file, mode)
    expect(() => openMasterKey(dataDir)).toThrow(
      expect.objectContaining({ code: 'config.invalid', fix: `chmod 600 ${file}` }),
    )
  })

  it.each(['', 'short', 'x'.repeat(100)])('refuses a file that holds no key: %j', content => {
    openMasterKey(dataDir)
    writeFileSync(file, content)
    expect(() => openMasterKey(dataDir)).toThrow(expect.objectContaining({ code: 'config.invalid' }))
  })
})
