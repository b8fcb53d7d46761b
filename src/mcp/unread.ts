/** What a client leaves unread: one rule for every answer and every stream. */
import type { ServerResponse } from 'node:http'

/** What can be held back upstream is held back long before; one message may be larger, but then nothing waits before it. */
export const unreadBytes = 1024 * 1024

/** Are these bytes too many for a client that has not read what it was sent before? It is cut off then. */
export function isTooFarBehind({ writableLength }: ServerResponse, more: number): boolean {
  return writableLength > 0 && writableLength + more > unreadBytes
}

// Node looks twice before it calls a socket idle: this makes half a minute.
const unreadMilliseconds = 15_000

/** Where something waits to be read: cuts a client off that takes none of it for so long. Node puts that off with every byte taken. */
export function watchReading(response: ServerResponse): void {
  if (response.writableLength > 0) response.setTimeout(unreadMilliseconds)
}

/** The client has taken everything: it may be silent for as long as it likes. */
export function unwatchReading(response: ServerResponse): void {
  response.setTimeout(0)
}
