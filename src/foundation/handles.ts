/** Texts that clients carry for the gateway: sealed, for one use by one caller, for a time. Any process with the master key opens them. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'
import { isObject, type JsonObject } from './json.ts'
import type { MasterKey } from './master-key.ts'

const algorithm = 'aes-256-gcm'
const version = 1
const ivBytes = 12
const tagBytes = 16
const timeBytes = 6
const overhead = 1 + ivBytes + tagBytes + timeBytes
/** The last moment that fits; what never expires expires then. */
const never = 2 ** (8 * timeBytes) - 1

/** What a handle is for; it opens as nothing else. */
export type HandleKind = 'cursor' | 'state' | 'session' | 'task' | 'connect' | 'connecting'

export type Handles = {
  /** `bound`: who may bring it back and for what, such as principal and server; not stored, but needed to open it. */
  seal(kind: HandleKind, bound: readonly string[], payload: JsonObject, ttlSeconds: number): string
  /** The same text every time for the same payload, without end: a name that clients may compare and keep. */
  name(kind: HandleKind, bound: readonly string[], payload: JsonObject): string
  /** What was sealed; undefined for anything changed, expired, bound to something else or not ours. */
  open(kind: HandleKind, bound: readonly string[], handle: string): JsonObject | undefined
}

/** Handle: base64url of version (1 byte), iv (12), tag (16), then, encrypted: expiry in milliseconds (6), JSON. AES-256-GCM. */
export function openHandles(masterKey: MasterKey, clock: Clock): Handles {
  const key = masterKey.derive('handles')
  const nameKey = masterKey.derive('handles/names')
  return {
    seal(kind, bound, payload, ttlSeconds) {
      const expiry = Math.floor(clock.now() + ttlSeconds * 1000)
      return encrypt(key, randomBytes(ivBytes), {
        place: placeOf(kind, bound),
        plain: plainOf(payload, expiry),
      })
    },
    name(kind, bound, payload) {
      const place = placeOf(kind, bound)
      const plain = plainOf(payload, never)
      // An iv that follows from all that is sealed is only ever used again for the same.
      const iv = createHmac('sha256', nameKey).update(place).update('\n').update(plain).digest()
      return encrypt(key, iv.subarray(0, ivBytes), { place, plain })
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

function plainOf(payload: JsonObject, expiry: number): Buffer {
  const head = Buffer.alloc(timeBytes)
  head.writeUIntBE(expiry, 0, timeBytes)
  return Buffer.concat([head, Buffer.from(JSON.stringify(payload))])
}

function encrypt(key: Buffer, iv: Buffer, { place, plain }: { place: Buffer; plain: Buffer }): string {
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes })
  cipher.setAAD(place)
  const text = [cipher.update(plain), cipher.final()]
  return Buffer.concat([Buffer.of(version), iv, cipher.getAuthTag(), ...text]).toString('base64url')
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
