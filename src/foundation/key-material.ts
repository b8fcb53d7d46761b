/** Keys as people write them, and those that are no secret. */
import { readFileSync, statSync } from 'node:fs'
import { fail } from './errors.ts'

export const keyLength = 32
const othersMode = 0o077
/** Of 32 random bytes about 30 are different; fewer than this never happens. */
const fewestDifferent = 17

/** A key of 256 bits written in base64, base64url or hex. Throws `config.invalid`; `from` says where it was written. */
export function readKey(text: string, from: string): Buffer {
  const key = decoded(text.trim())
  if (key === undefined)
    return fail('config.invalid', {
      why: `${from} does not hold a key: 32 random bytes, in base64 or hex.`,
      fix: 'Restore it from a backup, without which stored secrets are lost; or, for a new one: openssl rand -base64 32',
    })
  if (isGuessable(key))
    return fail('config.invalid', {
      why: `${from} holds an example or something that people can guess, and no random key.`,
      fix: 'Make one with: openssl rand -base64 32',
    })
  return key
}

/** A key in a file that nobody but its owner can read. Throws `config.invalid`. */
export function readKeyFile(file: string, name: string): Buffer {
  let mode: number
  let text: string
  try {
    mode = statSync(file).mode
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    return fail('config.invalid', {
      why: `${name} ${file} cannot be read.`,
      fix: 'Correct its path, or who may read it.',
      cause,
    })
  }
  if ((mode & othersMode) !== 0 && process.platform !== 'win32')
    fail('config.invalid', {
      why: `${name} ${file} can be read by other users of this machine.`,
      fix: `chmod 600 ${file}`,
    })
  return readKey(text, `The file ${file}`)
}

function decoded(text: string): Buffer | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex')
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined
  return Buffer.from(text, 'base64url')
}

/** The same byte again and again, a row of numbers, or words. */
function isGuessable(key: Buffer): boolean {
  const steps = new Set(Array.from(key.subarray(1), (byte, at) => (byte - (key[at] ?? 0) + 256) % 256))
  const isText = key.every(byte => byte >= 0x20 && byte < 0x7f)
  return new Set(key).size < fewestDifferent || steps.size === 1 || isText
}
