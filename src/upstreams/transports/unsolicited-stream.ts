import { type EventReader, EventStream, type ServerEvent } from '../event-stream.ts'
import type { Unsolicited } from '../link.ts'
import { readMessage } from '../message.ts'
import type { WireEvents, WireHeaders } from './wire.ts'

type Seen = {
  answered(status: number): void
  opened(): void
  /** The server asks something. */
  asked(id: string | number): void
}

/** Reads the GET stream. An upstream that has none (405) leaves it open and silent, as the client expects. */
export class UnsolicitedStream implements WireEvents, EventReader {
  readonly #to: Unsolicited
  readonly #maximum: number
  readonly #seen: Seen
  #events: EventStream | undefined
  #isSilent = false

  constructor(to: Unsolicited, maximum: number, seen: Seen) {
    this.#to = to
    this.#maximum = maximum
    this.#seen = seen
  }

  head(status: number, headers: WireHeaders): void {
    this.#seen.answered(status)
    const type = headers['content-type']?.toLowerCase()
    if (status === 200 && type?.startsWith('text/event-stream') === true) {
      this.#events = new EventStream(this, this.#maximum, this.#maximum)
      this.#seen.opened()
    }
    // What it refuses it refuses for good; trouble of its own passes.
    else this.#isSilent = status < 500
  }

  chunk(bytes: Buffer): void {
    this.#events?.push(bytes)
  }

  end(): void {
    this.broken()
  }

  broken(): void {
    if (!this.#isSilent) this.#to.ended()
  }

  event({ event, bytes, id, retry }: ServerEvent): void {
    if (event !== 'message') return
    if (bytes.length === 0) return this.#to.priming(id, retry)
    const message = readMessage(bytes)
    if (message === undefined) return
    if (message.kind === 'answer') return this.#to.answer(bytes, message.body, id)
    const asked = message.body.id
    if (message.kind === 'request' && (typeof asked === 'string' || typeof asked === 'number'))
      this.#seen.asked(asked)
    this.#to.message(bytes, message.body, id)
  }

  long(): boolean {
    return false
  }

  longPiece(): void {}

  longEnd(): void {}
}
