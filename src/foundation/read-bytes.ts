import type { IncomingMessage } from 'node:http'
import { fail } from './errors.ts'

/** The body of a request, at most so long. Throws `http.body_too_large`; the connection stays, for the refusal must go out on it. */
export async function readBytes(request: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const tooLarge = { why: `The body is larger than ${mostBytes} bytes.` }
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) fail('http.body_too_large', tooLarge)
  const chunks: Buffer[] = []
  let bytes = 0
  // Destroying the request would cut the socket.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) continue
    bytes += chunk.length
    if (bytes > mostBytes) fail('http.body_too_large', tooLarge)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
