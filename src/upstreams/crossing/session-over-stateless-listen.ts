/** One `subscriptions/listen` with a stateless-era server (MCP 2026-07-28, basic/patterns/subscriptions). */
import { isObject, type JsonObject } from '../../foundation/json.ts'
import type { StatelessLink } from '../link.ts'
import { errorCode, nextUpstreamId } from '../message.ts'
import { metaKeys } from '../revisions.ts'
import type { Flight, Sink } from '../sink.ts'
import { type RawMembers, written } from './session-over-stateless-envelope.ts'
import { mirroredHeaders } from './session-over-stateless-headers.ts'

/** Members of the filter that ask for a list's changes. */
export type ListField = 'toolsListChanged' | 'promptsListChanged' | 'resourcesListChanged'

export type Filter = { readonly lists: readonly ListField[]; readonly uris: readonly string[] }

export type ListenEvents = {
  /** The server listens; `honoured` is what of the filter it agreed to. */
  acknowledged(honoured: Filter): void
  message(bytes: Buffer, message: JsonObject): void
  /** It is over, and was not closed from here. `isRefused`: there is no such thing with this server. */
  ended(isRefused: boolean): void
}

export type ListeningParts = {
  readonly link: StatelessLink
  readonly meta: RawMembers
  readonly patienceMs: number
}

const method = 'subscriptions/listen'

export class Listening implements Sink {
  readonly filter: Filter
  readonly clientId: string
  readonly whole = true
  readonly #upstreamId = nextUpstreamId()
  readonly #parts: ListeningParts
  readonly #events: ListenEvents
  #flight: Flight | undefined
  #timer: NodeJS.Timeout | undefined
  #isAcknowledged = false
  #isOver = false

  constructor(parts: ListeningParts, filter: Filter, events: ListenEvents) {
    this.#parts = parts
    this.filter = filter
    this.#events = events
    this.clientId = String(this.#upstreamId)
  }

  open(): void {
    const { link, meta, patienceMs } = this.#parts
    const { lists, uris } = this.filter
    const wanted = Object.fromEntries(lists.map(field => [field, true]))
    const notifications = JSON.stringify(
      uris.length === 0 ? wanted : { ...wanted, resourceSubscriptions: uris },
    )
    const params = written({ notifications, _meta: written(meta) })
    this.#timer = setTimeout(() => this.failed(), patienceMs)
    try {
      link.request({
        body: Buffer.from(
          `{"jsonrpc":"2.0","id":${this.#upstreamId},"method":"${method}","params":${params}}`,
        ),
        upstreamId: this.#upstreamId,
        method,
        params: {},
        sink: this,
        mirrored: mirroredHeaders(method, {}),
        endless: true,
      })
    } catch {
      this.failed()
    }
  }

  close(): void {
    if (this.#end()) this.#flight?.abort()
  }

  started(flight: Flight): void {
    this.#flight = flight
    if (this.#isOver) flight.abort()
  }

  message(bytes: Buffer, message: JsonObject): void {
    const params = isObject(message.params) ? message.params : {}
    const meta = isObject(params._meta) ? params._meta : {}
    // Of another subscription, or of none: not what was asked for here.
    if (this.#isOver || message.id !== undefined || meta[metaKeys.subscription] !== this.#upstreamId) return
    if (message.method === 'notifications/subscriptions/acknowledged') this.#acknowledge(params.notifications)
    else if (this.#isAcknowledged) this.#events.message(bytes, message)
  }

  answer(_: Buffer, { error }: JsonObject): void {
    this.#over(errorCode(error) === '-32601')
  }

  failed(): void {
    this.#over(false)
  }

  streaming(): void {}
  priming(): void {}
  piece(): void {}
  finished(): void {}

  #acknowledge(notifications: unknown): void {
    if (this.#isAcknowledged) return
    this.#isAcknowledged = true
    clearTimeout(this.#timer)
    const agreed = isObject(notifications) ? notifications : {}
    const uris = Array.isArray(agreed.resourceSubscriptions)
      ? new Set(agreed.resourceSubscriptions)
      : new Set()
    this.#events.acknowledged({
      lists: this.filter.lists.filter(field => agreed[field] === true),
      uris: this.filter.uris.filter(uri => uris.has(uri)),
    })
  }

  #over(isRefused: boolean): void {
    const flight = this.#flight
    if (!this.#end()) return
    flight?.abort()
    this.#events.ended(isRefused)
  }

  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    clearTimeout(this.#timer)
    return true
  }
}
