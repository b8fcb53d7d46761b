import type { GatewayError } from '../foundation/errors.ts'
import type { JsonObject } from '../foundation/json.ts'

/** A request under way upstream; a sink that cannot keep up pauses it. */
export type Flight = {
  pause(): void
  resume(): void
  /** Ends it without an answer; nothing more reaches the sink. */
  abort(): void
}

/** What is known of an answer that was streamed through without being held. */
export type AnswerSummary = {
  readonly error: string | null
  readonly isError: boolean
  readonly resultType: string | null
  readonly bytes: number
}

/** What a result gains or loses at its top on the way; everything below stays byte for byte. */
export type ResultEdits = {
  /** It may be shared with nobody, whatever the upstream says (`cacheScope`). */
  readonly isPrivate: boolean
  /** Members that are left out. */
  readonly drop?: ReadonlySet<string>
  /** Members that are added where there are none of that name, as raw JSON. */
  readonly add?: Readonly<Record<string, string>>
  /** Texts that become other texts, by the name of their member. The function is told the resultType where that stands before it. */
  readonly replace?: Readonly<Record<string, (text: string, resultType: string | null) => string>>
}

/** Where the messages of one upstream request go. Exactly one of `answer`, `finished` and `failed` is called, once, and last. */
export type Sink = {
  /** The id the client gave, as raw JSON; it stands in every answer given to the sink. */
  readonly clientId: string
  /** True: answers come whole, up to limits.messageBytes. False: long ones come in pieces. */
  readonly whole: boolean
  /** What is done to a result that passes in pieces; one that comes whole is the sink's own to edit. */
  readonly edits?: ResultEdits
  /** Looks at the beginning of a long answer; false: it must come whole all the same. */
  mayPass?(start: string): boolean
  started(flight: Flight): void
  /** The upstream opened an event stream, before any message of it. */
  streaming(): void
  /** A notification, or a request of the server. `eventId` is the SSE id where the upstream gave one. */
  message(bytes: Buffer, message: JsonObject, eventId?: string): void
  /** An SSE event without a message: an id to resume from, or a retry time. */
  priming(eventId: string | undefined, retry: string | undefined): void
  answer(bytes: Buffer, answer: JsonObject, status: number): void
  piece(bytes: Buffer): void
  finished(summary: AnswerSummary): void
  failed(error: GatewayError): void
}
