/** Texts that clients carry for the gateway: sealed, for one use by one caller, for a time. Any process with the master key opens them. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'
import { isObject, type JsonObject } from './json.ts'
import type { MasterKey } from './master-key.ts'

const algorithm = 'aes-256-gcm'
const version = 1
const ivBytes = 12
const tagBytes = 16
const timeBytes = 6
const overhead = 1 + ivBytes + tagBytes + timeBytes

/** What a handle is for; it opens as nothing else. */
export type HandleKind = 'cursor' | 'state' | 'session' | 'task'

export type Handles = {
  /** `bound`: who may bring it back and for what, such as principal and server; not stored, but needed to open it. */
  seal(kind: HandleKind, bound: readonly string[], payload: JsonObject, ttlSeconds: number): string
  /** What was sealed; undefined for anything changed, expired, bound to something else or not ours. */
  open(kind: HandleKind, bound: readonly string[], handle: string): JsonObject | undefined
}

/** Handle: base64url of version (1 byte), iv (12), tag (16), then, encrypted: expiry in milliseconds (6), JSON. AES-256-GCM. */
export function openHandles(masterKey: MasterKey, clock: Clock): Handles {
  const key = masterKey.derive('handles')
  return {
    seal(kind, bound, payload, ttlSeconds) {
      const iv = randomBytes(ivBytes)
      const expiry = Buffer.alloc(timeBytes)
      expiry.writeUIntBE(Math.floor(clock.now() + ttlSeconds * 1000), 0, timeBytes)
      const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes })
      cipher.setAAD(placeOf(kind, bound))
      const text = [cipher.update(expiry), cipher.update(JSON.stringify(payload)), cipher.final()]
      return Buffer.concat([Buffer.of(version), iv, cipher.getAuthTag(), ...text]).toString('base64url')
    },
    open(kind, bound, handle) {
      const bytes = Buffer.from(handle, 'base64url')
      // Node's decoder skips what is not base64url; a handle has exactly one spelling.
      if (bytes.length < overhead || bytes[0] !== version || bytes.toString('base64url') !== handle)
        return undefined
      const plain = decrypt(key, bytes, placeOf(kind, bound))
      if (plain === undefined || plain.readUIntBE(0, timeBytes) <= clock.now()) return undefined
      const payload: unknown = JSON.parse(plain.toString('utf8', timeBytes))
      return isObject(payload) ? payload : undefined
    },
  }
}

function decrypt(key: Buffer, bytes: Buffer, place: Buffer): Buffer | undefined {
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(1, 1 + ivBytes), {
    authTagLength: tagBytes,
  })
  decipher.setAAD(place).setAuthTag(bytes.subarray(1 + ivBytes, 1 + ivBytes + tagBytes))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(1 + ivBytes + tagBytes)), decipher.final()])
  } catch {
    return undefined
  }
}

// JSON keeps the parts apart, so that no two places run together into the same bytes.
function placeOf(kind: HandleKind, bound: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify([kind, ...bound]))
}
