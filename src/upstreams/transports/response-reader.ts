/** HTTP/1.1 responses off a socket (RFC 9112), strictly: what two readers could read differently is refused. */
import { badAnswer } from '../message.ts'

export type WireHeaders = Readonly<Record<string, string | undefined>>

export type ResponseEvents = {
  head(status: number, headers: WireHeaders): void
  chunk(bytes: Buffer): void
  /** `mayReuse`: the connection stands at the beginning of another response. */
  end(mayReuse: boolean): void
}

const maxHeadBytes = 32_768
const maxChunkLine = 256
const headEnd = Buffer.from('\r\n\r\n')
const lineEnd = Buffer.from('\r\n')

type State = 'head' | 'length' | 'close' | 'size' | 'piece' | 'piece-end' | 'trailer' | 'done'

// Framing and identity headers may stand once only; of the rest the last is taken.
const single = new Set([
  'content-length',
  'transfer-encoding',
  'content-type',
  'content-encoding',
  'mcp-session-id',
])

function malformed(): never {
  throw badAnswer('Its answer is not HTTP.')
}

/** Reads one response after another from one connection. Throws `upstream.bad_answer`; the connection is of no use after that. */
export class ResponseReader {
  readonly #events: ResponseEvents
  #state: State = 'done'
  #held: Buffer | undefined
  #left = 0
  #keepAlive = false

  constructor(events: ResponseEvents) {
    this.#events = events
  }

  /** A request was sent: a response may come. */
  expect(): void {
    this.#state = 'head'
    this.#held = undefined
  }

  get hasBegun(): boolean {
    return this.#state !== 'head' || this.#held !== undefined
  }

  push(bytes: Buffer): void {
    let rest: Buffer | undefined = this.#held ? Buffer.concat([this.#held, bytes]) : bytes
    this.#held = undefined
    while (rest !== undefined && rest.length > 0) rest = this.#step(rest)
  }

  /** The connection has ended. True when that is how the response says it is complete. */
  ended(): boolean {
    if (this.#state !== 'close') return false
    this.#finish(false)
    return true
  }

  // Takes what it can from the bytes and gives back the rest; undefined when it holds them until more come.
  #step(bytes: Buffer): Buffer | undefined {
    switch (this.#state) {
      case 'head':
        return this.#head(bytes)
      case 'length':
        return this.#body(bytes, false)
      case 'piece':
        return this.#body(bytes, true)
      case 'close':
        this.#events.chunk(bytes)
        return undefined
      case 'size':
        return this.#line(bytes, maxChunkLine, line => this.#size(line))
      case 'piece-end':
        return this.#line(bytes, 2, line => {
          if (line !== '') malformed()
          this.#state = 'size'
        })
      case 'trailer':
        return this.#line(bytes, maxHeadBytes, (line, isAll) => {
          if (line === '') this.#finish(this.#keepAlive && isAll)
        })
      default:
        return malformed()
    }
  }

  #head(bytes: Buffer): Buffer | undefined {
    const end = bytes.indexOf(headEnd)
    if (end < 0) {
      if (bytes.length > maxHeadBytes) throw badAnswer('The head of its answer is too long.')
      this.#held = bytes
      return undefined
    }
    if (end > maxHeadBytes) throw badAnswer('The head of its answer is too long.')
    const lines = bytes.toString('latin1', 0, end).split('\r\n')
    const status = statusOf(lines[0] ?? '')
    const headers = headersOf(lines)
    const rest = bytes.subarray(end + headEnd.length)
    if (status < 200) return status === 101 ? malformed() : rest
    this.#keepAlive =
      lines[0]?.startsWith('HTTP/1.1') === true && !/\bclose\b/i.test(headers.connection ?? '')
    this.#frame(status, headers, rest.length === 0)
    return rest
  }

  #frame(status: number, headers: WireHeaders, isAll: boolean): void {
    const coding = headers['transfer-encoding']
    const length = headers['content-length']
    if (coding !== undefined && (length !== undefined || coding.toLowerCase() !== 'chunked')) malformed()
    if (length !== undefined && !/^\d{1,15}$/.test(length)) malformed()
    const isBare = status === 204 || status === 304
    this.#left = isBare ? 0 : Number(length ?? 0)
    this.#state = coding !== undefined ? 'size' : length !== undefined || isBare ? 'length' : 'close'
    this.#events.head(status, headers)
    if (this.#state === 'length' && this.#left === 0) this.#finish(this.#keepAlive && isAll)
  }

  #body(bytes: Buffer, isPiece: boolean): Buffer | undefined {
    const part = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left)
    this.#left -= part.length
    this.#events.chunk(part)
    if (this.#left === 0 && this.#state !== 'done') {
      if (isPiece) this.#state = 'piece-end'
      else this.#finish(this.#keepAlive && part.length === bytes.length)
    }
    return part.length === bytes.length ? undefined : bytes.subarray(part.length)
  }

  #line(bytes: Buffer, limit: number, take: (line: string, isAll: boolean) => void): Buffer | undefined {
    const end = bytes.indexOf(lineEnd)
    if (end > limit || (end < 0 && bytes.length > limit + 1)) malformed()
    if (end < 0) {
      this.#held = bytes
      return undefined
    }
    const rest = bytes.subarray(end + lineEnd.length)
    take(bytes.toString('latin1', 0, end), rest.length === 0)
    return rest
  }

  #size(line: string): void {
    const [, digits = ''] = /^([0-9a-fA-F]{1,12})[ \t]*(?:;[^\n\r]*)?$/.exec(line) ?? malformed()
    this.#left = Number.parseInt(digits, 16)
    this.#state = this.#left === 0 ? 'trailer' : 'piece'
  }

  #finish(mayReuse: boolean): void {
    this.#state = 'done'
    this.#events.end(mayReuse)
  }
}

function statusOf(line: string): number {
  const [, status = ''] = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?$/.exec(line) ?? malformed()
  return Number(status)
}

const field = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x20-\x7e\x80-\xff\t]*?)[ \t]*$/

function headersOf(lines: readonly string[]): WireHeaders {
  const headers: Record<string, string> = Object.create(null)
  for (let i = 1; i < lines.length; i++) {
    const [, name = '', value = ''] = field.exec(lines[i] ?? '') ?? malformed()
    const key = name.toLowerCase()
    if (headers[key] !== undefined && headers[key] !== value && single.has(key)) malformed()
    headers[key] = value
  }
  return headers
}
