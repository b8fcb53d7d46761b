/** Envelope encryption of stored secrets: a fresh key for each value, wrapped by the key of this instance. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { fail } from '../foundation/errors.ts'
import type { MasterKey } from '../foundation/master-key.ts'

const algorithm = 'aes-256-gcm'
const version = 1
const keyBytes = 32
const ivBytes = 12
const tagBytes = 16
const kekIdBytes = 8
const boxOverhead = ivBytes + tagBytes
const wrappedBytes = boxOverhead + keyBytes
const headBytes = 1 + kekIdBytes

export type Sealer = {
  /** Encrypts a value for one place; `context` names that place and must be the same to open it. */
  seal(value: string, context: readonly string[]): string
  /** Throws `vault.unsealable` for anything but what `seal` made, for this place, with this master key. */
  open(sealed: string, context: readonly string[]): string
}

/**
 * Sealed text is base64url of: version (1 byte), id of the wrapping key (8), wrapped data key (iv 12, tag 16, 32),
 * value (iv 12, tag 16, the rest). The context is authenticated, not stored; the id of the wrapping key is bound to the
 * wrapped key only, so that changing the master key re-wraps keys and leaves values alone.
 */
export function sealer(masterKey: MasterKey): Sealer {
  const kek = masterKey.derive('vault')
  const kekId = createHmac('sha256', kek).update('gatehouse key id').digest().subarray(0, kekIdBytes)
  const head = Buffer.concat([Buffer.of(version), kekId])
  return {
    seal(value, context) {
      const place = joined(context)
      const dek = randomBytes(keyBytes)
      const wrapped = encrypt(kek, dek, Buffer.concat([place, kekId]))
      const box = encrypt(dek, Buffer.from(value), place)
      dek.fill(0)
      return Buffer.concat([head, wrapped, box]).toString('base64url')
    },
    open(sealed, context) {
      const bytes = strictBytes(sealed)
      if (bytes[0] !== version) refuse('its format is unknown')
      if (!bytes.subarray(1, headBytes).equals(kekId)) refuse('it was sealed with another master key')
      const place = joined(context)
      const wrapped = bytes.subarray(headBytes, headBytes + wrappedBytes)
      const dek = decrypt(kek, wrapped, Buffer.concat([place, kekId]))
      const value = decrypt(dek, bytes.subarray(headBytes + wrappedBytes), place)
      dek.fill(0)
      return value.toString()
    },
  }
}

/** Parts with their lengths, so that no two contexts run together into the same bytes. */
function joined(context: readonly string[]): Buffer {
  const parts = context.map(part => {
    const bytes = Buffer.from(part)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return Buffer.concat([length, bytes])
  })
  return Buffer.concat([Buffer.of(version, parts.length), ...parts])
}

function encrypt(key: Buffer, plain: Buffer, place: Buffer): Buffer {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes }).setAAD(place)
  const text = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), text])
}

function decrypt(key: Buffer, box: Buffer, place: Buffer): Buffer {
  try {
    const decipher = createDecipheriv(algorithm, key, box.subarray(0, ivBytes), { authTagLength: tagBytes })
    decipher.setAAD(place).setAuthTag(box.subarray(ivBytes, boxOverhead))
    return Buffer.concat([decipher.update(box.subarray(boxOverhead)), decipher.final()])
  } catch (cause) {
    return refuse('it was changed, or belongs to another place', cause)
  }
}

/** Node's decoder skips what is not base64url; a seal has exactly one spelling. */
function strictBytes(sealed: string): Buffer {
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length < headBytes + wrappedBytes + boxOverhead || bytes.toString('base64url') !== sealed)
    refuse('it is incomplete or damaged')
  return bytes
}

function refuse(why: string, cause?: unknown): never {
  return fail('vault.unsealable', { why: `A stored secret cannot be opened: ${why}.`, cause })
}
