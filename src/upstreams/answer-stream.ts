import { badAnswer } from './message.ts'
import { Passage } from './passage.ts'
import { ResultMembers } from './result-members.ts'
import type { AnswerSummary, ResultEdits } from './sink.ts'

const quote = 0x22
const maxDepth = 64
const maxCapture = 256
/** The longest text that is replaced by another. */
const maxText = 65_536
const ownScope = Buffer.from('"private"')

type Capture = 'id' | 'isError' | 'resultType' | 'cacheScope' | 'code' | 'text' | undefined

function slashesBefore(chunk: Buffer, end: number, from: number): number {
  let count = 0
  while (end - 1 - count >= from && chunk[end - 1 - count] === 0x5c) count++
  return count
}

// A key may be written with escapes, for letters too.
function keyOf(inside: string): string {
  if (!inside.includes('\\')) return inside
  return inside.replace(/\\u00([0-9a-f]{2})/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
}

/**
 * Passes one long JSON-RPC answer through in pieces: replaces the id at its top, edits the top of its result, remembers how it ended,
 * holds nothing else.
 * It follows strings and nesting, not JSON's whole grammar: what is wrong inside a result is the client's parser to find.
 */
export class AnswerStream {
  readonly #expectedId: string
  readonly #clientId: Buffer
  readonly #isPrivate: boolean
  readonly #replace: ResultEdits['replace']
  readonly #passage = new Passage()
  readonly #members: ResultMembers | undefined
  #depth = 0
  #inString = false
  #escaped = false
  #key = ''
  #keyBytes: string | undefined
  #expectKey = false
  #topKey = ''
  /** Within the result, whose members may be edited. */
  #inResult = false
  #capture: Capture
  #captured = ''
  /** What stands in the place of the value that is being captured. */
  #replacement: Buffer | undefined
  #sawId = false
  #sawResult = false
  #sawError = false
  #isError = false
  #resultType: string | null = null
  #code = ''
  #bytes = 0

  constructor(upstreamId: number, clientId: string, edits?: ResultEdits) {
    this.#expectedId = String(upstreamId)
    this.#clientId = Buffer.from(clientId)
    this.#isPrivate = edits?.isPrivate === true
    this.#replace = edits?.replace
    if (edits?.drop !== undefined || edits?.add !== undefined)
      this.#members = new ResultMembers(this.#passage, edits)
  }

  /** The bytes to pass on for this chunk. Throws `upstream.bad_answer`. */
  push(chunk: Buffer): Buffer[] {
    this.#passage.begin(chunk)
    for (let i = 0; i < chunk.length; )
      i = this.#inString ? this.#string(chunk, i) : this.#structure(chunk, i)
    this.#bytes += chunk.length
    return this.#passage.end()
  }

  /** Call after the last piece. Throws when the answer is cut off or is not the one that was waited for. */
  end(): AnswerSummary {
    if (this.#depth !== 0 || this.#inString) throw badAnswer('The answer ended in the middle.')
    if (!this.#sawId || this.#sawResult === this.#sawError)
      throw badAnswer('The answer is not a JSON-RPC response to this request.')
    return {
      error: this.#sawError ? this.#code || 'no code' : null,
      isError: this.#isError,
      resultType: this.#resultType,
      bytes: this.#bytes,
    }
  }

  #string(chunk: Buffer, at: number): number {
    let end: number
    if (this.#escaped) {
      this.#escaped = false
      end = at + 1
    } else {
      end = this.#stringEnd(chunk, at)
    }
    if (this.#keyBytes !== undefined && this.#keyBytes.length < maxCapture)
      this.#keyBytes += chunk.toString('latin1', at, end)
    if (this.#capture !== undefined) this.#take(chunk.toString('latin1', at, end))
    if (!this.#inString && this.#keyBytes !== undefined) {
      this.#key = keyOf(this.#keyBytes.slice(0, -1))
      this.#keyBytes = undefined
    }
    return end
  }

  // The string goes on at `at`: to its end, or to the end of the chunk, remembering an escape that was cut.
  #stringEnd(chunk: Buffer, at: number): number {
    for (let from = at; ; ) {
      const end = chunk.indexOf(quote, from)
      const isEscaped = slashesBefore(chunk, end < 0 ? chunk.length : end, at) % 2 === 1
      if (end < 0) {
        this.#escaped = isEscaped
        return chunk.length
      }
      if (!isEscaped) {
        this.#inString = false
        return end + 1
      }
      from = end + 1
    }
  }

  #structure(chunk: Buffer, at: number): number {
    const byte = chunk[at]
    switch (byte) {
      case quote:
        this.#inString = true
        if (this.#expectKey) this.#keyBytes = ''
        else if (this.#capture !== undefined) this.#take('"')
        break
      case 0x7b:
      case 0x5b:
        this.#open(byte === 0x7b, at)
        break
      case 0x7d:
      case 0x5d:
        this.#close(at)
        break
      case 0x2c:
        this.#endCapture(at)
        this.#expectKey = this.#depth <= 2
        if (this.#inResult && this.#depth === 2) this.#members?.separated(at)
        break
      case 0x3a:
        if (this.#expectKey) this.#beginValue(at + 1)
        break
      default:
        if (this.#depth === 0 && byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)
          throw badAnswer('The answer is not JSON.')
        if (this.#capture !== undefined && byte !== undefined && byte > 0x20)
          this.#take(String.fromCharCode(byte))
    }
    return at + 1
  }

  #open(isObject: boolean, at: number): void {
    if (++this.#depth > maxDepth) throw badAnswer('The answer is nested too deeply.')
    if (this.#capture !== undefined) throw badAnswer('A member of the answer has the wrong type.')
    this.#expectKey = isObject
    if (this.#depth !== 2 || !isObject || this.#topKey !== 'result') return
    this.#inResult = true
    this.#members?.opened(at + 1)
  }

  #close(at: number): void {
    this.#endCapture(at)
    if (this.#inResult && this.#depth === 2) {
      this.#inResult = false
      this.#members?.closed(at)
    }
    if (--this.#depth < 0) throw badAnswer('The answer is not JSON.')
    this.#expectKey = false
  }

  #beginValue(at: number): void {
    this.#expectKey = false
    if (this.#depth === 1) this.#beginTop(at)
    else if (this.#inResult && this.#depth === 2) this.#beginMember(at)
    else if (this.#depth === 2 && this.#topKey === 'error' && this.#key === 'code') this.#begin('code')
  }

  #beginTop(at: number): void {
    this.#topKey = this.#key
    if (this.#key === 'id') this.#turn('id', at, this.#clientId)
    else if (this.#key === 'result') this.#sawResult = true
    else if (this.#key === 'error') this.#sawError = true
  }

  #beginMember(at: number): void {
    const key = this.#key
    const isKept = this.#members?.named(key, at) ?? true
    if (key === 'isError' || key === 'resultType') this.#begin(key)
    else if (key === 'cacheScope' && this.#isPrivate && isKept) this.#turn(key, at, ownScope)
    else if (isKept && this.#replace !== undefined && Object.hasOwn(this.#replace, key))
      this.#turn('text', at)
  }

  #begin(what: Capture): void {
    this.#capture = what
    this.#captured = ''
  }

  // From `at` to the end of the value something else stands.
  #turn(what: Capture, at: number, replacement?: Buffer): void {
    this.#begin(what)
    this.#replacement = replacement
    this.#passage.turn(at, 'skip')
  }

  #take(text: string): void {
    this.#captured += text
    if (this.#captured.length > (this.#capture === 'text' ? maxText : maxCapture))
      throw badAnswer('A member of the answer is too long.')
  }

  #endCapture(at: number): void {
    const replacement = this.#capture === 'text' ? this.#replaced() : this.#replacement
    if (replacement !== undefined) {
      this.#passage.turn(at, 'pass')
      this.#passage.insert(replacement)
      this.#replacement = undefined
    }
    const text = this.#captured
    switch (this.#capture) {
      case 'id':
        if (this.#sawId || text !== this.#expectedId)
          throw badAnswer('The answer has the id of another request.')
        this.#sawId = true
        break
      case 'isError':
        this.#isError = text === 'true'
        break
      case 'resultType':
        this.#resultType = text.replaceAll('"', '')
        break
      case 'code':
        this.#code = /^-?\d{1,15}$/.test(text) ? text : ''
        break
    }
    this.#capture = undefined
  }
  #replaced(): Buffer {
    const text = readText(this.#captured)
    const replace = this.#replace?.[this.#key]
    if (text === undefined || replace === undefined)
      throw badAnswer('A member of the answer has the wrong type.')
    return Buffer.from(JSON.stringify(replace(text, this.#resultType)))
  }
}

// What was captured is bytes, each as one character.
function readText(captured: string): string | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(captured, 'latin1').toString('utf8'))
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
