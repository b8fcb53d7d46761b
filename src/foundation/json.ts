/** Bounded JSON: a scan that refuses what is dangerous before parsing, and spans to patch text without re-serialising it. */
import { isUtf8 } from 'node:buffer'
import { fail } from './errors.ts'

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/** Where a value stands in the bytes: [start, end). */
export type Span = { readonly start: number; readonly end: number }

const maxDepth = 64
const maxKeys = 10_000

/** Index just past the string whose opening quote is at `at`; the length of `bytes` if it never ends. */
export function endOfString(bytes: Uint8Array, at: number): number {
  let i = at + 1
  for (;;) {
    const end = bytes.indexOf(quote, i)
    if (end < 0) return bytes.length
    let slashes = 0
    while (bytes[end - 1 - slashes] === backslash) slashes++
    if (slashes % 2 === 0) return end + 1
    i = end + 1
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

export function skipSpace(bytes: Uint8Array, at: number): number {
  let i = at
  while (isSpace(bytes[i])) i++
  return i
}

/** Index just past the value that starts at `at`. The bytes must be valid JSON. */
export function endOfValue(bytes: Uint8Array, at: number): number {
  const first = bytes[at]
  if (first === quote) return endOfString(bytes, at)
  let i = at
  if (first !== openBrace && first !== openBracket) {
    for (; i < bytes.length; i++) {
      const byte = bytes[i]
      if (byte === comma || byte === closeBrace || byte === closeBracket || isSpace(byte)) return i
    }
    return i
  }
  let depth = 0
  while (i < bytes.length) {
    const byte = bytes[i]
    if (byte === quote) {
      i = endOfString(bytes, i)
      continue
    }
    if (byte === openBrace || byte === openBracket) depth++
    else if (byte === closeBrace || byte === closeBracket) {
      depth--
      if (depth === 0) return i + 1
    }
    i++
  }
  return i
}

/** The members of the object that starts at `at`, as [key, span of the value]. The bytes must be valid JSON. */
export function* members(bytes: Buffer, at: number): Generator<[string, Span]> {
  let i = skipSpace(bytes, at + 1)
  while (i < bytes.length && bytes[i] !== closeBrace) {
    const keyEnd = endOfString(bytes, i)
    const key: unknown = JSON.parse(bytes.toString('utf8', i, keyEnd))
    const start = skipSpace(bytes, skipSpace(bytes, keyEnd) + 1)
    const end = endOfValue(bytes, start)
    yield [String(key), { start, end }]
    i = skipSpace(bytes, end)
    if (bytes[i] === comma) i = skipSpace(bytes, i + 1)
  }
}

/** The elements of the array that starts at `at`. The bytes must be valid JSON. */
export function* elements(bytes: Buffer, at: number): Generator<Span> {
  let i = skipSpace(bytes, at + 1)
  while (i < bytes.length && bytes[i] !== closeBracket) {
    const end = endOfValue(bytes, i)
    yield { start: i, end }
    i = skipSpace(bytes, end)
    if (bytes[i] === comma) i = skipSpace(bytes, i + 1)
  }
}

/** The span of the value at a path of keys, from the object that starts at `at`; undefined if a step is missing. */
export function spanAt(
  bytes: Buffer,
  path: readonly string[],
  at: number = skipSpace(bytes, 0),
): Span | undefined {
  let span: Span | undefined = { start: at, end: bytes.length }
  for (const step of path) {
    if (span === undefined || bytes[span.start] !== openBrace) return undefined
    span = memberSpan(bytes, span.start, step)
  }
  return span
}

/**
 * Where the value at a path of keys starts, when each key of the path stands once in its object; undefined otherwise. Parsers differ in
 * which of two they take.
 */
export function onlyAt(
  bytes: Buffer,
  path: readonly string[],
  at: number = skipSpace(bytes, 0),
): number | undefined {
  const { start, isTwice } = findOnly(bytes, path, at)
  return isTwice ? undefined : start
}

type Found = { readonly start: number | undefined; readonly isTwice: boolean; readonly end: number }

/** One walk over the value at `at`, which ends where the value does. */
function findOnly(bytes: Buffer, path: readonly string[], at: number): Found {
  const [step, ...rest] = path
  const isEnd = step === undefined
  if (isEnd || bytes[at] !== openBrace)
    return { start: isEnd ? at : undefined, isTwice: false, end: endOfValue(bytes, at) }
  let found: Found | undefined
  let isTwice = false
  let i = skipSpace(bytes, at + 1)
  while (i < bytes.length && bytes[i] !== closeBrace) {
    const keyEnd = endOfString(bytes, i)
    const start = skipSpace(bytes, skipSpace(bytes, keyEnd) + 1)
    const inner = keyText(bytes, i, keyEnd) === step ? findOnly(bytes, rest, start) : undefined
    isTwice ||= inner !== undefined && (found !== undefined || inner.isTwice)
    found = inner ?? found
    i = skipSpace(bytes, inner?.end ?? endOfValue(bytes, start))
    if (bytes[i] === comma) i = skipSpace(bytes, i + 1)
  }
  return { start: found?.start, isTwice, end: i + 1 }
}

// The members() walk without its generator and key decoding: this runs on every call.
function memberStart(bytes: Buffer, at: number, wanted: string): number | undefined {
  let i = skipSpace(bytes, at + 1)
  while (i < bytes.length && bytes[i] !== closeBrace) {
    const keyEnd = endOfString(bytes, i)
    const start = skipSpace(bytes, skipSpace(bytes, keyEnd) + 1)
    if (keyText(bytes, i, keyEnd) === wanted) return start
    i = skipSpace(bytes, endOfValue(bytes, start))
    if (bytes[i] === comma) i = skipSpace(bytes, i + 1)
  }
  return undefined
}

function memberSpan(bytes: Buffer, at: number, wanted: string): Span | undefined {
  const start = memberStart(bytes, at, wanted)
  return start === undefined ? undefined : { start, end: endOfValue(bytes, start) }
}

/** One replacement of bytes; spans must not overlap. */
export type Patch = { readonly span: Span; readonly text: string }

/** The bytes with every patch applied, everything else untouched. */
export function applyPatches(bytes: Buffer, patches: readonly Patch[]): Buffer {
  if (patches.length === 0) return bytes
  const ordered = [...patches].sort((a, b) => a.span.start - b.span.start)
  const parts: Buffer[] = []
  let from = 0
  for (const { span, text } of ordered) {
    parts.push(bytes.subarray(from, span.start), Buffer.from(text))
    from = span.end
  }
  parts.push(bytes.subarray(from))
  return Buffer.concat(parts)
}

type Frame = { readonly keys: string[] | undefined; set: Set<string> | undefined }

function noteKey(frame: Frame, key: string): void {
  if (key === '__proto__') fail('json.forbidden_key', { why: 'The key __proto__ is never accepted.' })
  if (frame.keys === undefined) return
  if (frame.set?.has(key) ?? frame.keys.includes(key)) {
    fail('json.duplicate_key', {
      why: `The key ${JSON.stringify(key.slice(0, 64))} stands twice in one object.`,
    })
  }
  frame.keys.push(key)
  if (frame.set) frame.set.add(key)
  else if (frame.keys.length > 16) frame.set = new Set(frame.keys)
}

function keyText(bytes: Buffer, start: number, end: number): string {
  const raw = bytes.toString('latin1', start + 1, end - 1)
  if (!raw.includes('\\')) return bytes.toString('utf8', start + 1, end - 1)
  try {
    return String(JSON.parse(bytes.toString('utf8', start, end)))
  } catch {
    return fail('json.malformed', { why: 'A key has a bad escape.' })
  }
}

/**
 * Refuses JSON that is nested deeper than 64, has over 10000 keys, the same key twice in an object, or `__proto__`.
 * Works in one pass on any bytes, valid or not; validity itself is for the parser that follows.
 */
export function scanBounds(bytes: Buffer): void {
  const frames: Frame[] = []
  let frame: Frame | undefined
  let keys = 0
  let i = 0
  while (i < bytes.length) {
    const byte = bytes[i]
    if (byte === quote) {
      const end = endOfString(bytes, i)
      if (frame?.keys !== undefined && bytes[skipSpace(bytes, end)] === colon) {
        if (++keys > maxKeys) fail('json.too_many_keys')
        noteKey(frame, keyText(bytes, i, end))
      }
      i = end
      continue
    }
    if (byte === openBrace || byte === openBracket) {
      if (frames.length >= maxDepth) fail('json.too_deep')
      frame = { keys: byte === openBrace ? [] : undefined, set: undefined }
      frames.push(frame)
    } else if (byte === closeBrace || byte === closeBracket) {
      frames.pop()
      frame = frames[frames.length - 1]
    }
    i++
  }
}

/** Bytes as a JSON value, within the bounds of `scanBounds` and strictly UTF-8. Throws `json.*`. */
export function parseBounded(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) fail('json.malformed', { why: 'The body is not UTF-8.' })
  scanBounds(bytes)
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    return fail('json.malformed', { why: 'The body does not parse as JSON.', cause })
  }
}

export type JsonObject = { readonly [key: string]: unknown }

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** RFC 8785 canonical form for values that came from JSON: sorted keys (by UTF-16 unit), no spaces. Recursive: bound the depth of what strangers wrote. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  const keys = Object.keys(value).sort()
  return `{${keys.map(key => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`
}

/** Is the value nested deeper than so many levels? Looks no further than that. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some(inner => isDeeper(inner, levels - 1))
}
