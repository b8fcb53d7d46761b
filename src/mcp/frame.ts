/** Server-sent events to clients (WHATWG HTML, 9.2). */
import type { ServerResponse } from 'node:http'
import { endWith, watchReading } from './send-json.ts'

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

const framePrefix = Buffer.from('event: message\ndata: ')
const frameEnd = Buffer.from('\n\n')

/** One event around a message. JSON texts of several lines become one: a raw line break cannot stand in a JSON string. */
export function frame(message: Buffer, eventId: string | undefined): Buffer {
  const body =
    message.includes(0x0a) || message.includes(0x0d)
      ? Buffer.from(message.toString('utf8').replace(/[\r\n]+/g, ' '))
      : message
  const prefix = eventId === undefined ? framePrefix : Buffer.from(`event: message\nid: ${eventId}\ndata: `)
  return Buffer.concat([prefix, body, frameEnd])
}

/** An event without a message: an id to resume from, or a time to wait before doing so. */
export function primingFrame(eventId: string | undefined, retry: string | undefined): Buffer {
  const id = eventId === undefined ? '' : `id: ${eventId}\n`
  return Buffer.from(`${id}${retry === undefined ? '' : `retry: ${retry}\n`}data:\n\n`)
}
