/** Envelope encryption of stored secrets: a fresh key for each value, wrapped by one of the vault's keys. */
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

/** A key that wraps keys of values, with the name by which sealed text says which it was. */
export type Kek = { readonly id: string; readonly key: Buffer }

/** The wrapping keys there are. */
export type Keks = {
  /** The one for what is sealed now. Throws `vault.locked`. */
  active(): Kek
  /** Undefined for one that is not known. Throws `vault.locked`. */
  find(id: string): Kek | undefined
}

export type Sealer = {
  /** Encrypts a value for one place; `context` names that place and must be the same to open it. Throws `vault.locked`. */
  seal(value: string, context: readonly string[]): string
  /** Throws `vault.unsealable` for anything but what `seal` made, for this place, with keys that are known; and `vault.locked`. */
  open(sealed: string, context: readonly string[]): string
  /** The same under the active key: the value stays as it is, only its key is wrapped anew. Throws as `open` does. */
  rewrap(sealed: string, context: readonly string[]): string
  /** Throws `vault.locked` while nothing can be opened: for those who remember what they opened. */
  checkOpen(): void
}

/**
 * Sealed text is base64url of: version (1 byte), id of the wrapping key (8), wrapped data key (iv 12, tag 16, 32),
 * value (iv 12, tag 16, the rest). The context is authenticated, not stored; the id of the wrapping key is bound to the
 * wrapped key only, so that another wrapping key re-wraps keys and leaves values alone.
 */
export function sealer(keks: Keks): Sealer {
  const openKey = (sealed: string, place: Buffer) => {
    const bytes = strictBytes(sealed)
    if (bytes[0] !== version) refuse('its format is unknown')
    const id = bytes.subarray(1, headBytes)
    const kek = keks.find(id.toString('hex')) ?? refuse('it was sealed with a key that is not here')
    const wrapped = bytes.subarray(headBytes, headBytes + wrappedBytes)
    const dek = decrypt(kek.key, wrapped, Buffer.concat([place, id]))
    return { dek, box: bytes.subarray(headBytes + wrappedBytes) }
  }
  const under = (kek: Kek, dek: Buffer, place: Buffer) => {
    const id = Buffer.from(kek.id, 'hex')
    return Buffer.concat([Buffer.of(version), id, encrypt(kek.key, dek, Buffer.concat([place, id]))])
  }
  return {
    seal(value, context) {
      const kek = keks.active()
      const place = joined(context)
      const dek = randomBytes(keyBytes)
      const box = encrypt(dek, Buffer.from(value), place)
      const head = under(kek, dek, place)
      dek.fill(0)
      return Buffer.concat([head, box]).toString('base64url')
    },
    open(sealed, context) {
      const place = joined(context)
      const { dek, box } = openKey(sealed, place)
      const value = decrypt(dek, box, place)
      dek.fill(0)
      return value.toString()
    },
    rewrap(sealed, context) {
      const place = joined(context)
      const { dek, box } = openKey(sealed, place)
      // What does not open must not look as if it were looked after.
      decrypt(dek, box, place).fill(0)
      const head = under(keks.active(), dek, place)
      dek.fill(0)
      return Buffer.concat([head, box]).toString('base64url')
    },
    checkOpen: () => void keks.active(),
  }
}

/** The key with its id, which says nothing about it and which no other key has. */
export function kekOf(key: Buffer): Kek {
  const id = createHmac('sha256', key).update('gatehouse key id').digest().subarray(0, kekIdBytes)
  return { id: id.toString('hex'), key }
}

/** The key that an instance has without any configuration. */
export function derivedKek(masterKey: MasterKey): Kek {
  return kekOf(masterKey.derive('vault'))
}

/** That key and no other. */
export function derivedKeks(masterKey: MasterKey): Keks {
  const kek = derivedKek(masterKey)
  return { active: () => kek, find: id => (id === kek.id ? kek : undefined) }
}

/** How all text begins that was sealed under this key: twelve characters, of which none depends on the value. */
export function sealPrefix(kekId: string): string {
  return Buffer.concat([Buffer.of(version), Buffer.from(kekId, 'hex')]).toString('base64url')
}

/** The id of the key that the text was sealed under, or undefined where it is no seal. */
export function kekIdOf(sealed: string): string | undefined {
  const head = Buffer.from(sealed.slice(0, sealPrefixLength), 'base64url')
  return head.length === headBytes && head[0] === version ? head.subarray(1).toString('hex') : undefined
}

export const sealPrefixLength = (headBytes / 3) * 4

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
