/** One session with an upstream, as the clients that share it see it: what it can do, what it says unasked, what it was told. */
import { GatewayError } from '../../foundation/errors.ts'
import { applyPatches, isObject, type JsonObject, spanAt } from '../../foundation/json.ts'
import { collect } from '../collect.ts'
import type { SessionLink, Unsolicited } from '../link.ts'
import { nextUpstreamId } from '../message.ts'
import type { Flight } from '../sink.ts'
import { isLouder } from './log-level.ts'

/** Somebody who is told what the server says to nobody by name. */
export type Listener = {
  message(bytes: Buffer, message: JsonObject, method: string): void
  /** Nothing more will come. */
  lost(error: GatewayError): void
}

export type SessionOf = {
  readonly key: string
  readonly serverId: string
  readonly principalId: string
  readonly usedAt: number
  listChanged(): void
}

/** Is it a notification that something the server has changed? */
export function isChange(method: string): boolean {
  return method.endsWith('/list_changed') || method === 'notifications/resources/updated'
}

const lost = () => new GatewayError('upstream.outcome_unknown', { why: 'Its session was lost.' })

export class PooledSession implements Unsolicited {
  readonly key: string
  readonly serverId: string
  readonly principalId: string
  readonly link: SessionLink
  usedAt: number
  readonly #listChanged: () => void
  readonly #listeners = new Set<Listener>()
  readonly #subscribers = new Map<string, number>()
  #owner: Listener | undefined
  #requests = 0
  #isTaken = false
  #isOver = false
  #level: string | undefined
  #stream: Flight | undefined

  constructor(link: SessionLink, { key, serverId, principalId, usedAt, listChanged }: SessionOf) {
    this.link = link
    this.key = key
    this.serverId = serverId
    this.principalId = principalId
    this.usedAt = usedAt
    this.#listChanged = listChanged
  }

  /** The server's answer to `initialize`. */
  get greeting(): JsonObject {
    const { result } = this.link.opening.body
    return isObject(result) ? result : {}
  }

  /** The whole of it, with another id. */
  opening(clientId: string): Buffer {
    const { bytes } = this.link.opening
    const id = spanAt(bytes, ['id'])
    return id ? applyPatches(bytes, [{ span: id, text: clientId }]) : bytes
  }

  get capabilities(): JsonObject {
    const { capabilities } = this.greeting
    return isObject(capabilities) ? capabilities : {}
  }

  /** A request has it that the server may mean when it asks back. */
  get isTaken(): boolean {
    return this.#isTaken
  }

  get isIdle(): boolean {
    return this.#requests === 0 && this.#listeners.size === 0
  }

  enter(isExclusive: boolean): void {
    this.#requests++
    if (isExclusive) this.#isTaken = true
  }

  leave(isExclusive: boolean, at: number): void {
    this.#requests--
    if (isExclusive) {
      this.#isTaken = false
      this.#owner = undefined
    }
    this.usedAt = at
  }

  /** The one request that the server can mean when it asks back or logs on no request's stream. */
  own(owner: Listener): void {
    this.#owner = owner
    this.#listen()
  }

  /** Tells the listener of every change the server reports, until the function given back is called. */
  follow(listener: Listener): () => void {
    if (this.#isOver) listener.lost(lost())
    this.#listeners.add(listener)
    this.#listen()
    return () => void this.#listeners.delete(listener)
  }

  /** Raises what the server logs to this level, where it logs at all and less than that. */
  async logAt(level: string): Promise<void> {
    if (this.capabilities.logging === undefined || !isLouder(level, this.#level)) return
    this.#level = level
    await this.ask('logging/setLevel', { level })
  }

  /** Asks the server to say when the resource changes; false when it does not. Pair with `unsubscribe`. */
  async subscribe(uri: string): Promise<boolean> {
    const count = this.#subscribers.get(uri) ?? 0
    this.#subscribers.set(uri, count + 1)
    if (count > 0 || (await this.ask('resources/subscribe', { uri }))) return true
    this.#subscribers.delete(uri)
    return false
  }

  unsubscribe(uri: string): void {
    const count = this.#subscribers.get(uri) ?? 0
    if (count > 1) return void this.#subscribers.set(uri, count - 1)
    if (!this.#subscribers.delete(uri) || this.#isOver) return
    // Nobody waits for the answer; what the server still says of it reaches nobody.
    this.ask('resources/unsubscribe', { uri }).catch(() => false)
  }

  /** A request of the gateway's own; false when the server answered with an error. */
  async ask(method: string, params: JsonObject): Promise<boolean> {
    const upstreamId = nextUpstreamId()
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: upstreamId, method, params }))
    const answer = await collect(String(upstreamId), sink =>
      this.link.request({ body, upstreamId, method, params, sink, mirrored: [], endless: false }),
    )
    return answer.body.error === undefined
  }

  /** A change the server reported, on whichever stream. */
  changed(bytes: Buffer, message: JsonObject): void {
    const method = String(message.method)
    if (method.endsWith('/list_changed')) this.#listChanged()
    for (const listener of [...this.#listeners]) listener.message(bytes, message, method)
  }

  message(bytes: Buffer, message: JsonObject): void {
    const method = String(message.method)
    if (isChange(method)) this.changed(bytes, message)
    else if (this.#owner) this.#owner.message(bytes, message, method)
    else if (message.id !== undefined) this.refuse(message.id)
  }

  /** Answers a request of the server that nobody can be asked. */
  refuse(id: unknown): void {
    if (typeof id !== 'string' && typeof id !== 'number') return
    const error = { code: -32601, message: 'Nobody can be asked this.' }
    this.respond(id, Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, error })))
  }

  /** Passes an answer to a request of the server on. When it cannot be, the server waits until the call's time is over. */
  respond(id: string | number, body: Buffer): void {
    this.link.respond(id, body).catch(() => false)
  }

  priming(): void {}

  answer(): void {}

  ended(): void {
    this.#stream = undefined
    this.#tellLost()
  }

  /** The server does not know the session any more. */
  lose(): void {
    this.#isOver = true
    this.#stream?.abort()
    this.#tellLost()
  }

  async close(): Promise<void> {
    this.lose()
    await this.link.close()
  }

  #listen(): void {
    if (!this.#isOver) this.#stream ??= this.link.listen(this, undefined)
  }

  #tellLost(): void {
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener.lost(lost())
  }
}
