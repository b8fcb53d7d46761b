import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../foundation/errors.ts'

const lateAfterMs = 30_000

/** The whole body of a request, at most `limit` bytes and 30 seconds. Throws `http.*`. */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const type = request.headers['content-type']
  if (type === undefined || !/^application\/json\s*(;|$)/i.test(type))
    throw new GatewayError('http.bad_content_type')
  if (request.headers['content-encoding'] !== undefined) {
    throw new GatewayError('http.bad_content_type', {
      why: 'Compressed bodies are not taken.',
      fix: 'Send the body without Content-Encoding.',
    })
  }
  if (Number(request.headers['content-length'] ?? 0) > limit)
    throw new GatewayError('http.body_too_large', { why: `The limit is ${limit} bytes.` })
  return new Promise((done, refused) => {
    const parts: Buffer[] = []
    let size = 0
    const late = setTimeout(() => stop('The body did not arrive in time.'), lateAfterMs)
    function stop(why: string): void {
      clearTimeout(late)
      request.pause()
      refused(new GatewayError('http.bad_request', { why }))
    }
    request.on('data', (part: Buffer) => {
      size += part.length
      if (size <= limit) return void parts.push(part)
      clearTimeout(late)
      request.removeAllListeners('data').resume()
      refused(new GatewayError('http.body_too_large', { why: `The limit is ${limit} bytes.` }))
    })
    request.on('end', () => {
      clearTimeout(late)
      done(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts))
    })
    request.on('error', () => stop('The connection broke before the body was complete.'))
  })
}
