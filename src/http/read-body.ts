import type { IncomingMessage } from 'node:http'
import { fail } from '../foundation/errors.ts'
import { parseBounded } from '../foundation/json.ts'

/** The JSON body of a request, at most `mostBytes` long. Throws `http.bad_content_type`, `http.body_too_large` or `json.*`. */
export async function readBody(request: IncomingMessage, mostBytes: number): Promise<unknown> {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/json\s*(?:;|$)/i.test(type)) fail('http.bad_content_type')
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    fail('http.bad_content_type', { why: 'A compressed body is not accepted.' })
  const tooLarge = { why: `The body is larger than ${mostBytes} bytes.` }
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) fail('http.body_too_large', tooLarge)
  const chunks: Buffer[] = []
  let bytes = 0
  // Destroying the request would cut the socket the refusal must go out on.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) continue
    bytes += chunk.length
    if (bytes > mostBytes) fail('http.body_too_large', tooLarge)
    chunks.push(chunk)
  }
  return parseBounded(Buffer.concat(chunks))
}
