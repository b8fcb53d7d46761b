import type { IncomingMessage } from 'node:http'
import { fail } from '../foundation/errors.ts'
import { parseBounded } from '../foundation/json.ts'
import { readBytes } from '../foundation/read-bytes.ts'

/** The JSON body of a request, at most `mostBytes` long. Throws `http.bad_content_type`, `http.body_too_large` or `json.*`. */
export async function readBody(request: IncomingMessage, mostBytes: number): Promise<unknown> {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/json\s*(?:;|$)/i.test(type)) fail('http.bad_content_type')
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    fail('http.bad_content_type', { why: 'A compressed body is not accepted.' })
  return parseBounded(await readBytes(request, mostBytes))
}
