/** The way of an answer in a session: the response of its request, and after that whichever connection the client comes back on. */
import { GatewayError } from '../foundation/errors.ts'
import { primingFrame } from './frame.ts'
import type { Outlet, OutletWatcher, PieceOutlet } from './outlet.ts'
import type { KeptStream, Owner, ReplayStore } from './replay.ts'
import type { ResponseOutlet } from './response-outlet.ts'

/** What the answer to one request is kept in, and how it is said that it is not there any more. */
export type SessionOutletOptions = {
  store(): ReplayStore
  /** Streams begin with an event to resume from; clients of older revisions stumble over events without a message. */
  readonly isPrimed: boolean
  readonly clientId: string
  /** A JSON-RPC error about this request. */
  errorBody(error: GatewayError): string
}

/** What a client is told that comes back for an answer which is not kept. */
export function answerGone(why: string): GatewayError {
  return new GatewayError('mcp.answer_gone', { why })
}

export class SessionOutlet implements Outlet, PieceOutlet, Owner {
  readonly #options: SessionOutletOptions
  #way: ResponseOutlet
  #watcher: OutletWatcher | undefined
  /** Undefined as long as the answer may still be plain JSON, which nobody can come back for. */
  #kept: KeptStream | undefined
  #isPassing = false

  constructor(way: ResponseOutlet, options: SessionOutletOptions) {
    this.#way = way
    this.#options = options
  }

  get isGone(): boolean {
    return this.#kept === undefined ? this.#way.isGone : this.#kept.isOver
  }

  get pieces(): PieceOutlet {
    return this
  }

  watch(watcher: OutletWatcher): void {
    this.#watcher = watcher
    this.#way.watch(watcher)
  }

  unwatch(): void {
    this.#watcher = undefined
    this.#way.unwatch()
  }

  stream(): void {
    if (this.#kept !== undefined || this.#isPassing || this.#way.isGone) return
    const { store, isPrimed, clientId } = this.#options
    this.#kept = store().open({ owner: this, clientId })
    const first = this.#kept.pass()
    this.#way.stream(isPrimed ? primingFrame(first) : undefined)
  }

  message(bytes: Buffer): void {
    this.stream()
    if (this.#kept?.isOver === false) this.#way.message(bytes, this.#kept.keep(bytes))
  }

  answer(bytes: Buffer, status: number, headers: readonly string[] = []): void {
    if (this.#kept === undefined || this.#isPassing) {
      this.#kept?.end()
      return this.#way.answer(bytes, status, headers)
    }
    if (this.#kept.isOver) return
    const id = this.#kept.keep(bytes, true)
    this.#kept.end()
    this.#way.answer(bytes, status, headers, id)
  }

  taken(): void {
    this.#way.taken()
  }

  piece(bytes: Buffer): void {
    const eventId = this.#isPassing ? undefined : this.#kept?.pass()
    this.#isPassing = true
    this.#way.piece(bytes, eventId)
  }

  finish(last: Buffer | undefined): void {
    if (last !== undefined) this.piece(last)
    this.#kept?.end()
    this.#way.finish(undefined)
  }

  beat(): void {
    this.#way.beat()
  }

  cut(): void {
    this.#kept?.end()
    this.#way.cut()
  }

  takeBack(way: ResponseOutlet, sequence: number): void {
    const kept = this.#kept
    way.stream()
    if (kept !== undefined && sequence >= kept.answeredAt) return way.end()
    const events = kept?.after(sequence) ?? []
    for (const event of events) if (!event.isAnswer) way.message(event.message, event.id)
    const answer = events.find(({ isAnswer }) => isAnswer)
    if (answer !== undefined) return way.answer(answer.message, 200, [], answer.id)
    if (kept === undefined || kept.isOver || this.#isPassing) {
      const why = 'The answer was too long to be kept, or has been pushed out by later ones.'
      return way.answer(Buffer.from(this.#options.errorBody(answerGone(why))), 200)
    }
    this.#moveTo(way)
  }

  // A client has one connection for a stream: the one it came from is not read any more.
  #moveTo(way: ResponseOutlet): void {
    this.#way.unwatch()
    this.#way.end()
    this.#way = way
    if (this.#watcher === undefined) return
    way.watch(this.#watcher)
    this.#watcher.ready()
  }
}
