import type { ServerResponse } from 'node:http'
import { watchReading } from './unread.ts'

/** Up to here, copying a body into the text of its head is cheaper than a second write. */
const joinedBytes = 16_384

/** Answers with one JSON body. `more` are further headers, flat pairs. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: Buffer,
  more: readonly string[] = [],
): void {
  response.writeHead(status, [
    'content-type',
    'application/json',
    'content-length',
    String(body.length),
    ...more,
  ])
  endWith(response, body)
}

/** Ends an answer with its whole body. Latin-1 gives every byte as it is, and lets node write head and body as one. */
export function endWith(response: ServerResponse, body: Buffer): void {
  if (body.length > joinedBytes) response.end(body)
  else response.end(body.toString('latin1'), 'latin1')
  watchReading(response)
}

/** Answers with one JSON body in two parts, of which the second is kept by somebody and not copied. */
export function sendJsonParts(response: ServerResponse, start: Buffer, rest: Buffer): void {
  if (start.length + rest.length <= joinedBytes) return sendJson(response, 200, Buffer.concat([start, rest]))
  response.writeHead(200, [
    'content-type',
    'application/json',
    'content-length',
    String(start.length + rest.length),
  ])
  response.cork()
  response.write(start)
  response.end(rest)
  response.uncork()
  watchReading(response)
}
