/** What was said to a session and may have to be said again (MCP 2025-11-25, basic/transports, "Resumability and Redelivery"). */
import { newHandle } from '../foundation/id.ts'
import { type EventPlace, readEventId, type StreamKind, writeEventId } from './event-id.ts'
import type { ResponseOutlet } from './response-outlet.ts'

/** Bounds of all that one session keeps; the oldest goes first. */
export const replayLimits = { bytes: 256 * 1024, events: 256, milliseconds: 300_000 } as const

export type KeptEvent = {
  readonly id: string
  readonly message: Buffer
  readonly isAnswer: boolean
}

type Entry = KeptEvent & { readonly stream: KeptStream; readonly sequence: number; readonly at: number }

/** Whoever answers on a stream: takes a client that came back, says what followed the event it has, and goes on from there. */
export type Owner = { takeBack(way: ResponseOutlet, sequence: number): void }

/** One numbered stream of events. */
export class KeptStream {
  readonly kind: StreamKind
  readonly number: number
  isOver = false
  /** The place of the answer, once there is one. */
  answeredAt = Number.POSITIVE_INFINITY
  readonly #store: ReplayStore
  readonly #clientId: string | undefined
  #sequence = 0

  constructor(store: ReplayStore, kind: StreamKind, number: number, clientId: string | undefined) {
    this.#store = store
    this.kind = kind
    this.number = number
    this.#clientId = clientId
  }

  /** Has the client been given an event to come back from? */
  get isKnown(): boolean {
    return this.#sequence > 0
  }

  /** The id of an event that is not kept: there is nothing in it, or too much. */
  pass(): string {
    const { kind, number } = this
    const place = { kind, epoch: this.#store.epoch, stream: number, sequence: this.#sequence++ }
    return writeEventId({ ...place, clientId: this.#clientId })
  }

  /** Keeps a message, as far as there is room, and gives the id of its event. */
  keep(message: Buffer, isAnswer = false): string {
    const sequence = this.#sequence
    const id = this.pass()
    if (isAnswer) this.answeredAt = sequence
    this.#store.put({ id, message, isAnswer, stream: this, sequence })
    return id
  }

  /** What is still kept of what followed an event, in order. */
  after(sequence: number): KeptEvent[] {
    return this.#store.after(this, sequence)
  }

  /** Its client has come back to one that was over. */
  goOn(): void {
    this.isOver = false
  }

  /** Nothing more will be said on it; what is kept stays for those who come back. */
  end(): void {
    this.isOver = true
    this.#store.settle(this)
  }
}

/** What an event id means: its place, and the stream and its owner where they are still known. */
export type Found = {
  readonly place: EventPlace
  readonly stream: KeptStream | undefined
  readonly owner: Owner | undefined
}

/** The store of one session; made with its first stream, so that a session without streams costs nothing. */
export class ReplayStore {
  readonly epoch = newHandle().slice(0, 8)
  readonly #now: () => number
  readonly #streams = new Map<number, { readonly stream: KeptStream; readonly owner: Owner | undefined }>()
  #entries: Entry[] = []
  #bytes = 0
  #last = 0

  constructor(now: () => number) {
    this.#now = now
  }

  get bytes(): number {
    return this.#bytes
  }

  get events(): number {
    return this.#entries.length
  }

  /** The stream of what is said unasked, or of the answer to one request. */
  open(call?: { readonly owner: Owner; readonly clientId: string }): KeptStream {
    const number = ++this.#last
    const kind = call === undefined ? 'unasked' : 'call'
    const stream = new KeptStream(this, kind, number, call?.clientId)
    this.#streams.set(number, { stream, owner: call?.owner })
    return stream
  }

  /** What an event id of a client means; undefined when it is none of ours. */
  find(eventId: string): Found | undefined {
    const place = readEventId(eventId)
    if (place === undefined) return undefined
    const known = place.epoch === this.epoch ? this.#streams.get(place.stream) : undefined
    return known === undefined || known.stream.kind !== place.kind
      ? { place, stream: undefined, owner: undefined }
      : { place, ...known }
  }

  put(event: Omit<Entry, 'at'>): void {
    const { length } = event.message
    if (length > replayLimits.bytes) return
    // A copy of its own: a slice would keep the whole packet it came in.
    const message = Buffer.allocUnsafeSlow(length)
    event.message.copy(message)
    this.#entries.push({ ...event, message, at: this.#now() })
    this.#bytes += length
    while (this.#bytes > replayLimits.bytes || this.#entries.length > replayLimits.events) this.#dropOldest()
  }

  after(stream: KeptStream, sequence: number): KeptEvent[] {
    return this.#entries.filter(entry => entry.stream === stream && entry.sequence > sequence)
  }

  /** Forgets a stream that is over and of which nothing is left. */
  settle(stream: KeptStream): void {
    if (stream.isOver && !this.#entries.some(entry => entry.stream === stream))
      this.#streams.delete(stream.number)
  }

  /** Drops what has been kept for long enough. */
  expire(): void {
    const oldest = this.#now() - replayLimits.milliseconds
    while (this.#entries[0] !== undefined && this.#entries[0].at < oldest) this.#dropOldest()
  }

  #dropOldest(): void {
    const entry = this.#entries.shift()
    if (entry === undefined) return
    this.#bytes -= entry.message.length
    this.settle(entry.stream)
  }
}
