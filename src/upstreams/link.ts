import type { JsonObject } from '../foundation/json.ts'
import type { Collected } from './collect.ts'
import type { Equipped } from './equipped.ts'
import type { Flight, Sink } from './sink.ts'

/** A request as it goes upstream: the bytes already carry `upstreamId` and the rewritten progress token. */
export type Outgoing = {
  readonly body: Buffer
  readonly upstreamId: number
  readonly method: string
  /** The parameters as the client sent them, for those who must read them again. */
  readonly params: JsonObject
  readonly sink: Sink
  /** Mirrored MCP headers of the stateless era, flat pairs; empty in the session era. */
  readonly mirrored: readonly string[]
  /** A listen: may stay open for ever. */
  readonly endless: boolean
  /** What authenticates this request, where its client brought something of its own; else what its session or link has. */
  readonly credentials?: Pick<Equipped, 'headers' | 'renew'>
  /** On a session with several servers: which of them it is for. */
  readonly to?: Equipped
  /** By when (performance.now) it must be over; a repeat has what its first try left. */
  readonly latest?: number
}

/** What an upstream says unasked, to one session. */
export type Unsolicited = {
  message(bytes: Buffer, message: JsonObject, eventId?: string): void
  priming(eventId: string | undefined, retry: string | undefined): void
  /** The answer to a request whose own stream was cut, still with the gateway's id for it. */
  answer(bytes: Buffer, answer: JsonObject, eventId?: string): void
  /** The upstream ended the stream; the client may open another. */
  ended(): void
}

/** One session with a session-era upstream, for one session of one client. */
export type SessionLink = {
  /** The upstream's answer to `initialize`. */
  readonly opening: Collected
  request(outgoing: Outgoing): Flight
  /** Passes a notification of the client on. */
  notify(method: string, body: Buffer): Promise<void>
  /** Passes the client's answer to a server request on; false when no such request is this session's. */
  respond(id: string | number, body: Buffer): Promise<boolean>
  /** Cancels a request by its upstream id, telling the upstream why. */
  cancel(upstreamId: number, reason: string | undefined): void
  /** Opens the stream of unasked messages. */
  listen(to: Unsolicited, lastEventId: string | undefined): Flight
  close(): Promise<void>
}

/** The way to a stateless-era upstream: nothing is remembered between requests. */
export type StatelessLink = {
  request(outgoing: Outgoing): Flight
}
