import type { ServerResponse } from 'node:http'

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

// Node looks twice before it calls a socket idle: this makes half a minute.
const unreadMilliseconds = 15_000

/** Where something waits to be read: cuts a client off that takes none of it for so long. Node puts that off with every byte taken. */
export function watchReading(response: ServerResponse): void {
  if (response.writableLength > 0) response.setTimeout(unreadMilliseconds)
}

/** What may wait for a client that does not read; one message may be larger, but then nothing waits before it. */
const unreadBytes = 1024 * 1024

/** Whether these bytes are too many for a client that has not read what it was sent before. */
export function isTooFarBehind({ writableLength }: ServerResponse, more: number): boolean {
  return writableLength > 0 && writableLength + more > unreadBytes
}
