import { hkdfSync, randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { keyLength, readKeyFile } from './key-material.ts'

/** The one secret of an instance; everything kept secret or keyed hangs on a key derived from it. */
export type MasterKey = {
  /** 32 bytes for one purpose (HKDF-SHA-256, RFC 5869); the label names the purpose and must never change. */
  derive(label: string): Buffer
}

/**
 * Reads `<dataDir>/keys/master.key`, creating it (mode 0600, 256 random bits) when there is none.
 * Throws `config.invalid` when others may read the file, or it holds no key or one that can be guessed.
 */
export function openMasterKey(dataDir: string): MasterKey {
  const directory = join(dataDir, 'keys')
  const file = join(directory, 'master.key')
  if (!existsSync(file)) create(directory, file)
  const key = readKeyFile(file, 'The master key')
  return { derive: label => Buffer.from(hkdfSync('sha256', key, '', `gatehouse ${label}`, keyLength)) }
}

/** Written aside and linked into place, so that of two processes at their first start both read the same whole key. */
function create(directory: string, file: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const draft = `${file}.${randomBytes(8).toString('hex')}`
  const descriptor = openSync(draft, 'wx', 0o600)
  try {
    writeSync(descriptor, `${randomBytes(keyLength).toString('base64url')}\n`)
    fsyncSync(descriptor)
    linkSync(draft, file)
  } catch (error) {
    if (!existsSync(file)) throw error
  } finally {
    closeSync(descriptor)
    rmSync(draft)
  }
}
