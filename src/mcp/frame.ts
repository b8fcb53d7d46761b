/** Server-sent events to clients (WHATWG HTML, 9.2). */
import type { ServerResponse } from 'node:http'
import { endWith } from './send-json.ts'
import { watchReading } from './unread.ts'

const streamHeaders = [
  'content-type',
  'text/event-stream',
  'cache-control',
  'no-cache, no-transform',
  'x-accel-buffering',
  'no',
] as const

/** Writes the head of an event stream, unless it is out already. */
export function beginEvents(response: ServerResponse): ServerResponse {
  if (!response.headersSent) response.writeHead(200, [...streamHeaders])
  return response
}

/** Ends an event stream with its last event. A stream of one event is told by its length: one write, and nothing to wait for. */
export function endEvents(response: ServerResponse, event: Buffer): void {
  if (response.headersSent) {
    response.end(event)
    return watchReading(response)
  }
  response.writeHead(200, [...streamHeaders, 'content-length', String(event.length)])
  endWith(response, event)
}

const plainPrefix = Buffer.from('event: message\ndata: ')
const frameEnd = Buffer.from('\n\n')

/** What stands before the message of an event. */
export function framePrefix(eventId: string | undefined): Buffer {
  return eventId === undefined ? plainPrefix : Buffer.from(`event: message\nid: ${eventId}\ndata: `)
}

/** One event around a message. JSON texts of several lines become one: a raw line break cannot stand in a JSON string. */
export function frame(message: Buffer, eventId: string | undefined): Buffer {
  const body =
    message.includes(0x0a) || message.includes(0x0d)
      ? Buffer.from(message.toString('utf8').replace(/[\r\n]+/g, ' '))
      : message
  return Buffer.concat([framePrefix(eventId), body, frameEnd])
}

/** An event without a message: only an id to resume from (MCP 2025-11-25, basic/transports). */
export function primingFrame(eventId: string): Buffer {
  return Buffer.from(`id: ${eventId}\ndata:\n\n`)
}

/** Where a client of HTTP+SSE sends its messages (MCP 2024-11-05, basic/transports). */
export function endpointFrame(uri: string): Buffer {
  return Buffer.from(`event: endpoint\ndata: ${uri}\n\n`)
}
