import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../foundation/errors.ts'

const jsonType = /^application\/json\s*(?:;|$)/i

function checkHead({ headers }: IncomingMessage, limit: number): void {
  if (!jsonType.test(headers['content-type'] ?? '')) throw new GatewayError('http.bad_content_type')
  if (headers['content-encoding'] !== undefined) {
    throw new GatewayError('http.bad_content_type', {
      why: 'Compressed bodies are not taken.',
      fix: 'Send the body without Content-Encoding.',
    })
  }
  if (Number(headers['content-length'] ?? 0) > limit) throw tooLarge(limit)
}

/** So much more of a refused body is read away, so that whoever is still sending it gets to read why. */
const readAwayBytes = 16 * 1024 * 1024

// An answer to a body that is still coming would be lost: a socket that is closed with something unread in it is reset.
function readAway(request: IncomingMessage): Promise<void> {
  return new Promise(done => {
    let size = 0
    const take = (part: Buffer) => {
      size += part.length
      if (size > readAwayBytes) leave()
    }
    const leave = () => {
      request.off('data', take).off('end', leave).off('error', leave).off('close', leave).resume()
      done()
    }
    request.on('data', take).on('end', leave).on('error', leave).on('close', leave)
  })
}

function tooLarge(limit: number): GatewayError {
  return new GatewayError('http.body_too_large', { why: `The limit is ${limit} bytes.` })
}

/** The whole body of a request, at most `limit` bytes; how long it may take is the listener's to say. Throws `http.*`. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  try {
    checkHead(request, limit)
    return await taken(request, limit)
  } catch (refusal) {
    if (!request.complete && !request.destroyed) await readAway(request)
    throw refusal
  }
}

function taken(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((done, refused) => {
    let body: Buffer | undefined
    let parts: Buffer[] | undefined
    let size = 0
    const take = (part: Buffer) => {
      size += part.length
      if (size > limit) {
        leave()
        refused(tooLarge(limit))
      } else if (body === undefined) body = part
      else {
        parts ??= [body]
        parts.push(part)
      }
    }
    const end = () => {
      leave()
      done(parts === undefined ? (body ?? Buffer.alloc(0)) : Buffer.concat(parts))
    }
    const broken = () => {
      leave()
      refused(
        new GatewayError('http.bad_request', { why: 'The connection broke before the body was complete.' }),
      )
    }
    // A request outlives its body by far where the answer is a stream, and must not keep it.
    const leave = () => void request.off('data', take).off('end', end).off('error', broken)
    request.on('data', take).on('end', end).on('error', broken)
  })
}
