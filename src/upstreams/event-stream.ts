import { badAnswer } from './message.ts'

const newline = 0x0a
const carriageReturn = 0x0d

/** One server-sent event. `bytes` is its data. */
export type ServerEvent = {
  readonly event: string
  readonly bytes: Buffer
  readonly id: string | undefined
  readonly retry: string | undefined
}

export type EventReader = {
  event(event: ServerEvent): void
  /** A data line grew past `longBytes` before it ended. True: hand me the rest of it through `longPiece`. */
  long(start: Buffer): boolean
  longPiece(bytes: Buffer): void
  longEnd(): void
}

/** Splits a stream of bytes into server-sent events (WHATWG HTML, 9.2.6), holding one event at most and long ones not at all. */
export class EventStream {
  readonly #reader: EventReader
  readonly #longBytes: number
  readonly #maximum: number
  #held: Buffer[] = []
  #heldBytes = 0
  #afterReturn = false
  #inLong = false
  #tried = false
  #data: Buffer[] = []
  #dataBytes = 0
  #event = ''
  #id: string | undefined
  #retry: string | undefined

  constructor(reader: EventReader, longBytes: number, maximum: number) {
    this.#reader = reader
    this.#longBytes = longBytes
    this.#maximum = maximum
  }

  push(chunk: Buffer): void {
    let from = 0
    if (this.#afterReturn && chunk[0] === newline) from = 1
    this.#afterReturn = false
    while (from < chunk.length) {
      const end = lineEnd(chunk, from)
      if (end < 0) return this.#hold(chunk.subarray(from))
      this.#line(chunk.subarray(from, end))
      from = end + 1
      if (chunk[end] === carriageReturn) {
        if (from === chunk.length) this.#afterReturn = true
        else if (chunk[from] === newline) from++
      }
    }
  }

  #hold(part: Buffer): void {
    if (this.#inLong) return this.#reader.longPiece(part)
    this.#held.push(part)
    this.#heldBytes += part.length
    if (this.#heldBytes > this.#longBytes && !this.#tried && this.#data.length === 0) this.#tryLong()
    else if (this.#heldBytes + this.#dataBytes > this.#maximum)
      throw badAnswer('A message of the event stream is too long.')
  }

  #tryLong(): void {
    const line = this.#takeHeld()
    const data = fieldValue(line, 'data')
    this.#tried = true
    if (data !== undefined && this.#reader.long(data)) this.#inLong = true
    else this.#hold(line)
  }

  #takeHeld(): Buffer {
    const line = this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held)
    this.#held = []
    this.#heldBytes = 0
    return line ?? Buffer.alloc(0)
  }

  #line(rest: Buffer): void {
    if (this.#inLong) {
      this.#reader.longPiece(rest)
      this.#reader.longEnd()
      this.#inLong = false
      return
    }
    this.#tried = false
    const line = this.#held.length === 0 ? rest : Buffer.concat([this.#takeHeld(), rest])
    if (line.length === 0) this.#dispatch()
    else this.#field(line)
  }

  #field(line: Buffer): void {
    const data = fieldValue(line, 'data')
    if (data !== undefined) {
      this.#data.push(data)
      // One more for its end, so that empty lines count too.
      this.#dataBytes += data.length + 1
      if (this.#dataBytes > this.#maximum) throw badAnswer('A message of the event stream is too long.')
      return
    }
    this.#event = fieldValue(line, 'event')?.toString() ?? this.#event
    this.#id = matching(fieldValue(line, 'id'), plainId) ?? this.#id
    this.#retry = matching(fieldValue(line, 'retry'), digits) ?? this.#retry
  }

  #dispatch(): void {
    const lines = this.#data
    if (lines.length > 0 || this.#id !== undefined || this.#retry !== undefined) {
      const bytes = lines.length === 1 ? lines[0] : joined(lines)
      this.#reader.event({
        event: this.#event || 'message',
        bytes: bytes ?? Buffer.alloc(0),
        id: this.#id,
        retry: this.#retry,
      })
    }
    this.#data = []
    this.#dataBytes = 0
    this.#event = ''
    this.#id = undefined
    this.#retry = undefined
  }
}

// An id that could not come back in a Last-Event-ID header is of no use to anybody.
const plainId = /^[\x20-\x7e]{0,512}$/
const digits = /^\d{1,9}$/

function matching(value: Buffer | undefined, pattern: RegExp): string | undefined {
  const text = value?.toString('latin1')
  return text !== undefined && pattern.test(text) ? text : undefined
}

function lineEnd(chunk: Buffer, from: number): number {
  const feed = chunk.indexOf(newline, from)
  const back = chunk.indexOf(carriageReturn, from)
  return back >= 0 && (feed < 0 || back < feed) ? back : feed
}

function fieldValue(line: Buffer, name: string): Buffer | undefined {
  if (line.length < name.length || line.toString('latin1', 0, name.length) !== name) return undefined
  if (line.length === name.length) return Buffer.alloc(0)
  if (line[name.length] !== 0x3a) return undefined
  return line.subarray(line[name.length + 1] === 0x20 ? name.length + 2 : name.length + 1)
}

// Lines of one event are joined by a newline; a JSON text cannot hold one inside a string, so a space serves and keeps it one line.
function joined(lines: readonly Buffer[]): Buffer {
  const parts: Buffer[] = []
  for (const line of lines) parts.push(line, Buffer.from(' '))
  return Buffer.concat(parts.slice(0, -1))
}
