/** The smallest HTTP/1.1 parser that measures honestly: whole messages, by length or chunked, from one buffer. */

export type HttpMessage = {
  /** The request line or the status line. */
  startLine: string
  /** The header block, raw. */
  head: string
  body: Buffer
  /** Bytes of the buffer that this message took. */
  bytes: number
}

const endOfHead = Buffer.from('\r\n\r\n')
const nothing = Buffer.alloc(0)

/** Reads the message at the start of the buffer; undefined while it is not all there. Throws on what is not HTTP. */
export function parseMessage(buffer: Buffer): HttpMessage | undefined {
  const headBytes = buffer.indexOf(endOfHead)
  if (headBytes < 0) {
    if (buffer.length > 65_536) throw new Error('a head of more than 64 KiB')
    return undefined
  }
  const head = buffer.toString('latin1', 0, headBytes)
  const bodyAt = headBytes + endOfHead.length
  const body = /\r\ntransfer-encoding: *chunked/i.test(head)
    ? parseChunks(buffer, bodyAt)
    : parsePlain(buffer, bodyAt, Number(headerOf(head, 'content-length') ?? 0))
  return body && { startLine: head.slice(0, head.indexOf('\r\n')), head, body: body.body, bytes: body.end }
}

/** The value of a header in a raw head, undefined when it is not there. */
export function headerOf(head: string, name: string): string | undefined {
  return new RegExp(`\\r\\n${name}:[ \\t]*([^\\r]*)`, 'i').exec(head)?.[1]
}

type Body = { body: Buffer; end: number }

function parsePlain(buffer: Buffer, start: number, length: number): Body | undefined {
  const end = start + length
  if (!Number.isSafeInteger(length) || length < 0) throw new Error('a content-length that is no number')
  return buffer.length < end ? undefined : { body: buffer.subarray(start, end), end }
}

function parseChunks(buffer: Buffer, start: number): Body | undefined {
  const chunks: Buffer[] = []
  for (let at = start; ; ) {
    const endOfLine = buffer.indexOf('\r\n', at, 'latin1')
    if (endOfLine < 0) return undefined
    const size = Number.parseInt(buffer.toString('latin1', at, endOfLine), 16)
    if (Number.isNaN(size)) throw new Error('a chunk without a size')
    const end = endOfLine + 2 + size + 2
    if (buffer.length < end) return undefined
    if (size === 0) {
      const [only = nothing, ...more] = chunks
      return { body: more.length === 0 ? only : Buffer.concat(chunks), end }
    }
    chunks.push(buffer.subarray(endOfLine + 2, end - 2))
    at = end
  }
}
