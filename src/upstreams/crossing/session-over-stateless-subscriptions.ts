/** What one session hears unasked from a stateless-era server: list changes while its client listens, and resources it subscribed to. */
import { GatewayError } from '../../foundation/errors.ts'
import { isObject, type JsonObject } from '../../foundation/json.ts'
import type { Unsolicited } from '../link.ts'
import type { Flight } from '../sink.ts'
import type { Filter, ListenEvents, Listening, ListField } from './session-over-stateless-listen.ts'
import { ofSubscription } from './session-over-stateless-messages.ts'
import { Waiting } from './session-over-stateless-waiting.ts'

export type SubscriptionsParts = {
  /** The lists whose changes the server says it tells of. */
  readonly offered: readonly ListField[]
  listening(filter: Filter, events: ListenEvents): Listening
}

/** More subscriptions of one session than this are no client's. */
const mostUris = 256
const longestUri = 8192

const firstPauseMs = 1000
const longestPauseMs = 30_000

const listMethods: Readonly<Record<ListField, string>> = {
  toolsListChanged: 'notifications/tools/list_changed',
  promptsListChanged: 'notifications/prompts/list_changed',
  resourcesListChanged: 'notifications/resources/list_changed',
}
const updated = 'notifications/resources/updated'

/** The lists whose changes a server's capabilities promise. */
export function offeredLists(capabilities: unknown): ListField[] {
  const promises = (name: string) =>
    isObject(capabilities) && isObject(capabilities[name]) && capabilities[name].listChanged === true
  return [
    ...(promises('tools') ? ['toolsListChanged' as const] : []),
    ...(promises('prompts') ? ['promptsListChanged' as const] : []),
    ...(promises('resources') ? ['resourcesListChanged' as const] : []),
  ]
}

/** Keeps one listen upstream. Its filter cannot change, so another takes its place before it is closed. */
export class Subscriptions {
  readonly #parts: SubscriptionsParts
  readonly #uris = new Set<string>()
  readonly #streams = new Set<Unsolicited>()
  readonly #waiting = new Waiting()
  #current: Listening | undefined
  #opening: Listening | undefined
  /** What of the present filter the server agreed to. */
  #honoured: Filter = { lists: [], uris: [] }
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #acknowledgedAt = 0
  /** Since the last time it listened, something may have happened. */
  #mayHaveMissed = false
  #isRefused = false
  #isClosed = false

  constructor(parts: SubscriptionsParts) {
    this.#parts = parts
  }

  /** Passes what the server says to the stream that was opened last. */
  listen(to: Unsolicited): Flight {
    this.#streams.add(to)
    this.#adjust()
    const stop = () => {
      if (this.#streams.delete(to)) this.#adjust()
    }
    return { pause: () => {}, resume: () => {}, abort: stop }
  }

  /** `done` is told when the server has agreed, or why not. Gives the function that stops waiting. */
  subscribe(uri: string, done: (error?: GatewayError) => void): () => void {
    if (this.#current?.filter.uris.includes(uri) && this.#uris.has(uri)) {
      done()
      return () => {}
    }
    if (this.#uris.size >= mostUris || uri.length > longestUri) {
      done(new GatewayError('mcp.invalid_params', { why: 'This session has too many subscriptions.' }))
      return () => {}
    }
    this.#uris.add(uri)
    const forget = this.#waiting.add(uri, done)
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#isRefused || this.#isClosed) this.#refuse([uri])
    else this.#adjust()
    return forget
  }

  unsubscribe(uri: string): void {
    if (this.#uris.delete(uri)) this.#adjust()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#current?.close()
    this.#opening?.close()
    this.#streams.clear()
    this.#refuse(this.#uris)
  }

  // Lists stay in a filter that is needed for resources anyway: a client that comes back soon finds it as it was.
  #wanted(): Filter {
    const keepsLists = this.#streams.size > 0 || (this.#uris.size > 0 && this.#current?.filter.lists.length)
    return { lists: keepsLists ? this.#parts.offered : [], uris: [...this.#uris] }
  }

  #adjust(): void {
    if (this.#isClosed || this.#isRefused || this.#opening || this.#timer) return
    const wanted = this.#wanted()
    if (wanted.lists.length + wanted.uris.length === 0) {
      this.#current?.close()
      this.#current = undefined
    } else if (this.#current === undefined || !isSame(wanted, this.#current.filter)) this.#open(wanted)
  }

  #open(filter: Filter): void {
    const listening = this.#parts.listening(filter, {
      acknowledged: honoured => this.#acknowledged(listening, honoured),
      message: (bytes, message) => this.#deliver(listening, bytes, message),
      ended: isRefused => this.#ended(listening, isRefused),
    })
    this.#opening = listening
    listening.open()
  }

  #acknowledged(listening: Listening, honoured: Filter): void {
    this.#current?.close()
    this.#current = listening
    this.#opening = undefined
    this.#honoured = honoured
    this.#acknowledgedAt = performance.now()
    if (this.#mayHaveMissed) this.#tellMissed()
    this.#mayHaveMissed = false
    const agreed = new Set(honoured.uris)
    for (const uri of agreed) this.#waiting.settle(uri)
    this.#refuse(listening.filter.uris.filter(uri => !agreed.has(uri)))
    this.#adjust()
  }

  // Nobody asks for these any more, so that the next filter goes without them.
  #refuse(uris: Iterable<string>): void {
    for (const uri of [...uris]) {
      this.#uris.delete(uri)
      this.#waiting.settle(uri, new GatewayError('upstream.not_subscribed'))
    }
  }

  #ended(listening: Listening, isRefused: boolean): void {
    if (listening === this.#opening) {
      this.#opening = undefined
      this.#refuse(listening.filter.uris.filter(uri => this.#waiting.has(uri)))
    } else if (listening === this.#current) {
      this.#current = undefined
      this.#mayHaveMissed = true
      if (performance.now() - this.#acknowledgedAt > longestPauseMs) this.#failures = 0
    }
    if (isRefused) {
      this.#isRefused = true
      return this.#refuse(this.#uris)
    }
    this.#openLater()
  }

  #openLater(): void {
    if (this.#isClosed || this.#timer || this.#opening) return
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures++)
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#adjust()
      },
      pauseMs * (0.5 + Math.random() / 2),
    ).unref()
  }

  #tellMissed(): void {
    for (const field of this.#honoured.lists) this.#say({ method: listMethods[field] })
    for (const uri of this.#honoured.uris) this.#say({ method: updated, params: { uri } })
  }

  #say(notification: JsonObject): void {
    const message = { jsonrpc: '2.0', ...notification }
    this.#pass(Buffer.from(JSON.stringify(message)), message)
  }

  #deliver(listening: Listening, bytes: Buffer, message: JsonObject): void {
    if (listening !== this.#current || !this.#isAwaited(message)) return
    const passed = ofSubscription(bytes, message)
    this.#pass(passed.bytes, passed.message)
  }

  #isAwaited({ method, params }: JsonObject): boolean {
    if (method !== updated) return this.#honoured.lists.some(field => listMethods[field] === method)
    const uri = isObject(params) ? params.uri : undefined
    // It may be about a part of what was subscribed to (MCP 2026-07-28, server/resources).
    return typeof uri === 'string' && [...this.#uris].some(whole => uri.startsWith(whole))
  }

  #pass(bytes: Buffer, message: JsonObject): void {
    ;[...this.#streams].at(-1)?.message(bytes, message)
  }
}

function isSame(one: Filter, other: Filter): boolean {
  const uris = new Set(other.uris)
  return (
    one.lists.length === other.lists.length &&
    one.uris.length === uris.size &&
    one.uris.every(uri => uris.has(uri))
  )
}
