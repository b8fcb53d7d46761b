import { randomBytes } from 'node:crypto'

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
let pool = Buffer.alloc(0)
let used = 0

function randomByte(): number {
  if (used >= pool.length) {
    pool = randomBytes(4096)
    used = 0
  }
  return pool[used++] ?? 0
}

function randomPart(length: number): string {
  let text = ''
  for (let i = 0; i < length; i++) text += alphabet[randomByte() & 31]
  return text
}

/** What every id of that millisecond begins with: a bound for looking ids up by time. */
export function timePart(now: number): string {
  let text = ''
  for (let rest = now, i = 0; i < 9; i++, rest = Math.floor(rest / 32)) text = alphabet[rest % 32] + text
  return text
}

/** A new identifier that sorts by creation time: 9 characters of milliseconds, 13 of randomness (65 bits). Not a secret. */
export function newId(now: number = Date.now()): string {
  return timePart(now) + randomPart(13)
}

/** 26 characters of pure randomness (130 bits), for session ids and other handles nobody may guess. */
export function newHandle(): string {
  return randomPart(26)
}
