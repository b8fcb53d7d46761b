import { hkdfSync, randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { fail } from './errors.ts'

const keyBytes = 32
const othersMode = 0o077

/** The one secret of an instance; everything kept secret or keyed hangs on a key derived from it. */
export type MasterKey = {
  /** 32 bytes for one purpose (HKDF-SHA-256, RFC 5869); the label names the purpose and must never change. */
  derive(label: string): Buffer
}

/**
 * Reads `<dataDir>/keys/master.key`, creating it (mode 0600, 256 random bits) when there is none.
 * Throws `config.invalid` when others may read the file or it does not hold a key.
 */
export function openMasterKey(dataDir: string): MasterKey {
  const directory = join(dataDir, 'keys')
  const file = join(directory, 'master.key')
  if (!existsSync(file)) create(directory, file)
  const key = read(file)
  return { derive: label => Buffer.from(hkdfSync('sha256', key, '', `gatehouse ${label}`, keyBytes)) }
}

/** Written aside and linked into place, so that of two processes at their first start both read the same whole key. */
function create(directory: string, file: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const draft = `${file}.${randomBytes(8).toString('hex')}`
  const descriptor = openSync(draft, 'wx', 0o600)
  try {
    writeSync(descriptor, `${randomBytes(keyBytes).toString('base64url')}\n`)
    fsyncSync(descriptor)
    linkSync(draft, file)
  } catch (error) {
    if (!existsSync(file)) throw error
  } finally {
    closeSync(descriptor)
    rmSync(draft)
  }
}

function read(file: string): Buffer {
  if ((statSync(file).mode & othersMode) !== 0 && process.platform !== 'win32') {
    fail('config.invalid', {
      why: `The master key ${file} can be read by other users of this machine.`,
      fix: `chmod 600 ${file}`,
    })
  }
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url')
  if (key.length !== keyBytes) {
    fail('config.invalid', {
      why: `The file ${file} does not hold a master key.`,
      fix: 'Restore it from a backup. Without it stored secrets and tokens are lost.',
    })
  }
  return key
}
