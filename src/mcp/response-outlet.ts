/** The HTTP response of a request as the way of its answer: JSON, or an event stream once there is more to say. */
import type { ServerResponse } from 'node:http'
import { beginEvents, endEvents, frame, framePrefix } from './frame.ts'
import type { Outlet, OutletWatcher, PieceOutlet } from './outlet.ts'
import { sendJson, sendJsonParts } from './send-json.ts'
import { isTooFarBehind, unwatchReading, watchReading } from './unread.ts'

export class ResponseOutlet implements Outlet, PieceOutlet {
  readonly #response: ServerResponse
  #watcher: OutletWatcher | undefined
  #mode: 'unset' | 'json' | 'events' = 'unset'
  /** Pieces of the answer are out, and it is not whole yet. */
  #isPassing = false
  #isFull = false
  /** An event that goes out with the next one, or alone when that one is late. */
  #first: Buffer | undefined

  constructor(response: ServerResponse) {
    this.#response = response
  }

  get isGone(): boolean {
    return this.#response.destroyed || this.#response.writableEnded
  }

  get pieces(): PieceOutlet {
    return this
  }

  watch(watcher: OutletWatcher): void {
    this.#watcher = watcher
    this.#response.on('close', this.#onClose)
  }

  // A response outlives its call by a while inside Node; the call must not hang on it.
  unwatch(): void {
    this.#watcher = undefined
    this.#response.off('close', this.#onClose)
  }

  /** `first` is an event that stands at the beginning. */
  stream(first?: Buffer): void {
    if (this.#mode !== 'unset' || this.isGone) return
    this.#mode = 'events'
    this.#first = first
    // The head goes out with the first event, which is usually in the same packet; alone only when that one is late. Where
    // nobody watches any more the answer is known, and on its way through the audit.
    setImmediate(() => {
      if (this.#watcher !== undefined) this.#begin()
    })
  }

  message(bytes: Buffer, eventId?: string): void {
    this.event(frame(bytes, eventId))
  }

  /** An event that is framed already. */
  event(framed: Buffer): void {
    if (this.#mode === 'unset') this.#mode = 'events'
    this.#write(this.#withFirst(framed))
  }

  answer(bytes: Buffer, status: number, headers: readonly string[] = [], eventId?: string): void {
    if (this.isGone) return
    if (this.#isPassing || isTooFarBehind(this.#response, bytes.length)) return this.cut()
    if (this.#mode === 'unset') return sendJson(this.#response, status, bytes, headers)
    endEvents(this.#response, this.#withFirst(frame(bytes, eventId)))
  }

  answerWhole(start: Buffer, rest: Buffer): boolean {
    if (this.#mode !== 'unset' || this.isGone) return false
    sendJsonParts(this.#response, start, rest)
    return true
  }

  taken(): void {
    if (!this.isGone) this.#response.writeHead(202, ['content-length', '0']).end()
  }

  piece(bytes: Buffer, eventId?: string): void {
    if (this.isGone) return
    if (this.#isPassing) return this.#write(bytes)
    this.#isPassing = true
    if (this.#mode === 'events')
      return this.#write(this.#withFirst(Buffer.concat([framePrefix(eventId), bytes])))
    this.#mode = 'json'
    this.#response.writeHead(200, { 'content-type': 'application/json' })
    this.#write(bytes)
  }

  finish(last: Buffer | undefined, eventId?: string): void {
    if (last !== undefined) this.piece(last, eventId)
    if (this.isGone) return
    this.#response.end(this.#mode === 'events' ? '\n\n' : undefined)
    watchReading(this.#response)
  }

  beat(): void {
    if (this.#mode !== 'events' || this.#isPassing || this.#isFull || this.isGone) return
    this.#begin()
    this.#response.write(':\n\n')
  }

  /** Ends an event stream that has no answer. */
  end(): void {
    if (this.isGone) return
    this.#begin()
    this.#response.end()
    watchReading(this.#response)
  }

  cut(): void {
    this.#response.destroy()
  }

  #begin(): void {
    if (this.isGone || this.#mode !== 'events') return
    const first = this.#withFirst(undefined)
    if (first !== undefined) this.#write(first)
    else if (!this.#response.headersSent) beginEvents(this.#response).flushHeaders()
  }

  #withFirst(event: Buffer): Buffer
  #withFirst(event: undefined): Buffer | undefined
  #withFirst(event: Buffer | undefined): Buffer | undefined {
    const first = this.#first
    if (first === undefined) return event
    this.#first = undefined
    return event === undefined ? first : Buffer.concat([first, event])
  }

  #write(bytes: Buffer): void {
    const response = this.#response
    if (this.isGone) return
    if (isTooFarBehind(response, bytes.length)) return this.#watcher?.stalled()
    if (this.#mode === 'events') beginEvents(response)
    if (response.write(bytes) || this.#isFull) return
    this.#isFull = true
    this.#watcher?.full()
    watchReading(response)
    response.once('drain', () => {
      unwatchReading(response)
      this.#isFull = false
      this.#watcher?.ready()
    })
  }

  readonly #onClose = (): void => this.#watcher?.gone()
}
