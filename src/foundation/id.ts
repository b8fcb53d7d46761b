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

// Written out in one go: a text put together letter by letter is kept as its twenty pieces.
const scratch = Buffer.alloc(32)

function write(letters: number, from: number): void {
  scratch[from] = alphabet.charCodeAt(letters & 31)
}

function writeRandom(from: number, length: number): void {
  for (let i = from; i < from + length; i++) write(randomByte(), i)
}

function writeTime(now: number): void {
  for (let rest = now, i = timeLength - 1; i >= 0; i--, rest = Math.floor(rest / 32)) write(rest % 32, i)
}

const timeLength = 9
const idLength = 22
const handleLength = 26

/** What every id of that millisecond begins with: a bound for looking ids up by time. */
export function timePart(now: number): string {
  writeTime(now)
  return scratch.toString('latin1', 0, timeLength)
}

/** A new identifier that sorts by creation time: 9 characters of milliseconds, 13 of randomness (65 bits). Not a secret. */
export function newId(now: number = Date.now()): string {
  writeTime(now)
  writeRandom(timeLength, idLength - timeLength)
  return scratch.toString('latin1', 0, idLength)
}

/** 26 characters of pure randomness (130 bits), for session ids and other handles nobody may guess. */
export function newHandle(): string {
  writeRandom(0, handleLength)
  return scratch.toString('latin1', 0, handleLength)
}
