import type { Redaction } from './redact.ts'

const keptLines = 50
const keptCharacters = 1000
const newline = 0x0a

export type StderrTail = {
  take(chunk: Buffer): void
  /** The last 50 lines, oldest first, each of at most 1000 characters, fit to be shown: redacted, control characters escaped. */
  lines(): readonly string[]
}

/** Remembers the end of what a process complains about. A flood costs one copy; the work is done when somebody looks. */
export function openStderrTail(redaction: Redaction): StderrTail {
  // Enough bytes to see a secret whole that begins within the characters shown, so that no part of it slips through.
  const room = 4 * (keptCharacters + redaction.longest)
  const kept: Buffer[] = []
  const partial = Buffer.allocUnsafe(room)
  let length = 0

  function hold(chunk: Buffer, from: number, to: number): void {
    length += chunk.copy(partial, length, from, Math.min(to, from + room - length))
  }

  function finish(): void {
    kept.push(Buffer.from(partial.subarray(0, length)))
    if (kept.length > keptLines) kept.shift()
    length = 0
  }

  function show(line: Buffer): string {
    const text = redaction.redact(line.toString('utf8').replace(/\r$/, ''))
    const safe = line.length < room ? text : text.slice(0, Math.max(0, text.length - redaction.longest))
    return safe
      .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped)
      .slice(0, keptCharacters)
      .toWellFormed()
  }

  return {
    take(chunk) {
      let from = 0
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
        hold(chunk, from, at)
        finish()
        from = at + 1
      }
      hold(chunk, from, chunk.length)
    },
    lines() {
      const unfinished = length > 0 ? [partial.subarray(0, length)] : []
      return [...kept, ...unfinished].slice(-keptLines).map(show)
    },
  }
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}
