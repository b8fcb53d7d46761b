import { asGatewayError, GatewayError } from '../../foundation/errors.ts'
import { isObject, type JsonObject } from '../../foundation/json.ts'
import type { Outgoing, Unsolicited } from '../link.ts'
import { LostSession, nextUpstreamId, notSent, outcomeUnknown, readdress, readMessage } from '../message.ts'
import type { Flight } from '../sink.ts'
import type { Deadline, Deadlines } from './deadlines.ts'
import type { AnswerLimits } from './http-answer.ts'

/** A session that shares a channel with others: a process, or one HTTP+SSE connection. */
export type Member = {
  /** Where unasked messages go; undefined while the client has no stream open. */
  unsolicited: Unsolicited | undefined
  /** Resources it asked to hear about. */
  readonly subscriptions: Set<string>
  /** Ids of server requests this member was asked and has not answered. */
  readonly asked: Set<string | number>
  /** The channel is gone, and with it this session. */
  lost(): void
}

export type ChannelParts = {
  /** False when it cannot be sent any more; a promise where the server may refuse a message by itself. */
  send(message: Buffer | string): boolean | Promise<void>
  /** The server refused a message because it does not know the session any more. */
  lost?(): void
  /** Whether the server may ask somebody back: only where it is certain who is being asked. */
  readonly asksBack: boolean
  readonly limits: AnswerLimits
  readonly deadlines: Deadlines
  listChanged(): void
}

const gone = () =>
  new GatewayError('upstream.process_failed', { why: 'Its process has ended.', noEffect: true })

/** Requests that only open the conversation have no outcome to be unsure of. */
const openings: ReadonlySet<string> = new Set(['initialize', 'server/discover'])

/** More than this unanswered by one client is no conversation any more. */
const maxAsked = 100
const maxIdLength = 128

class Pending implements Deadline, Flight {
  seat: number | undefined
  expiresAt: number
  readonly latest: number
  readonly member: Member | undefined
  readonly outgoing: Outgoing
  readonly #channel: Channel

  constructor(channel: Channel, outgoing: Outgoing, member: Member | undefined, limits: AnswerLimits) {
    const now = performance.now()
    this.#channel = channel
    this.outgoing = outgoing
    this.member = member
    this.latest = outgoing.latest ?? now + limits.callSecondsMax * 1000
    this.expiresAt = outgoing.endless
      ? Number.POSITIVE_INFINITY
      : Math.min(this.latest, now + limits.callSeconds * 1000)
  }

  expire(): void {
    this.#channel.drop(this, 'The time for the whole call is over.')
    this.outgoing.sink.failed(
      new GatewayError('upstream.timeout', { why: 'The time for the whole call is over.' }),
    )
  }

  abort(): void {
    this.#channel.drop(this, 'The client does not wait any more.')
  }

  // A channel is shared, so one slow reader cannot hold it; the reader's own bound cuts it off instead.
  pause(): void {}

  resume(): void {}
}

/** Many requests over one stream of messages: finds for each message of the server whose it is, and gives it to nobody else. */
export class Channel {
  readonly #parts: ChannelParts
  readonly #pending = new Map<number, Pending>()
  readonly #members = new Set<Member>()
  readonly #callers = new Set<string>()
  #end: GatewayError | undefined

  constructor(parts: ChannelParts) {
    this.#parts = parts
  }

  get isIdle(): boolean {
    return this.#pending.size === 0 && this.#members.size === 0
  }

  /** Notes who uses the channel: what the server says to nobody by name is passed on only as long as that is one caller. */
  usedBy(principalId: string): void {
    this.#callers.add(principalId)
  }

  join(member: Member): void {
    this.#members.add(member)
  }

  /** Ends what a session has under way, and what only it had subscribed to. */
  leave(member: Member): void {
    if (!this.#members.delete(member)) return
    for (const pending of [...this.#pending.values()]) {
      if (pending.member !== member) continue
      this.drop(pending, 'The session is over.')
      pending.outgoing.sink.failed(new GatewayError('mcp.cancelled', { why: 'The session is over.' }))
    }
    for (const uri of member.subscriptions) if (this.subscribers(uri) === 0) this.#unsubscribe(uri)
  }

  request(outgoing: Outgoing, member?: Member): Flight {
    const pending = new Pending(this, outgoing, member, this.#parts.limits)
    if (this.#end) {
      member?.lost()
      outgoing.sink.failed(notSent(this.#end))
      return pending
    }
    this.#pending.set(outgoing.upstreamId, pending)
    if (!outgoing.endless) this.#parts.deadlines.watch(pending)
    outgoing.sink.started(pending)
    const sent = this.#parts.send(outgoing.body)
    if (sent === false) this.#refused(pending, gone())
    else if (sent !== true) sent.catch(error => this.#refused(pending, error))
    return pending
  }

  /** Forgets a request and tells the server that nobody waits for it. */
  drop(pending: Pending, reason: string): void {
    this.cancel(pending.outgoing.upstreamId, reason)
  }

  /** Tells the server that nobody waits for a request of ours any more; nothing when it was answered or cancelled before. */
  cancel(upstreamId: number, reason: string | undefined): void {
    const pending = this.#pending.get(upstreamId)
    if (pending === undefined) return
    this.#settle(pending)
    const params = { requestId: upstreamId, ...(reason === undefined ? {} : { reason }) }
    this.#say({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
  }

  /** How many members want to hear of a resource. */
  subscribers(uri: string): number {
    let count = 0
    for (const member of this.#members) if (member.subscriptions.has(uri)) count++
    return count
  }

  /** One message of the server. What is not JSON-RPC is noise that some servers print; it is nobody's. */
  receive(bytes: Buffer): void {
    const message = readMessage(bytes)
    if (message === undefined) return
    if (message.kind === 'answer') this.#answer(bytes, message.body)
    else if (message.kind === 'request') this.#asked(bytes, message.body, message.method)
    else this.#notified(bytes, message.body, message.method)
  }

  /** The channel is gone: everything under way fails. */
  ended(error: GatewayError): void {
    this.#end ??= error
    for (const pending of [...this.#pending.values()]) {
      const { method, sink } = pending.outgoing
      if (this.#settle(pending)) sink.failed(openings.has(method) ? error : outcomeUnknown(error))
    }
    const members = [...this.#members]
    this.#members.clear()
    for (const member of members) {
      member.lost()
      member.unsolicited?.ended()
    }
  }

  // Nobody waits for the answer.
  #unsubscribe(uri: string): void {
    this.#say({ jsonrpc: '2.0', id: nextUpstreamId(), method: 'resources/unsubscribe', params: { uri } })
  }

  // Nothing depends on its arrival.
  #say(message: object): void {
    const sent = this.#parts.send(JSON.stringify(message))
    if (sent instanceof Promise) sent.catch(() => undefined)
  }

  #refused(pending: Pending, thrown: unknown): void {
    if (!this.#settle(pending)) return
    const error = asGatewayError(thrown)
    // Of whatever else is under way nobody knows; of this it is known that it was refused.
    if (error instanceof LostSession) this.#parts.lost?.()
    pending.outgoing.sink.failed(error)
  }

  #settle(pending: Pending): boolean {
    this.#parts.deadlines.forget(pending)
    return this.#pending.delete(pending.outgoing.upstreamId)
  }

  #answer(bytes: Buffer, body: JsonObject): void {
    const pending = typeof body.id === 'number' ? this.#pending.get(body.id) : undefined
    if (pending === undefined || !this.#settle(pending)) return
    const { upstreamId, sink } = pending.outgoing
    sink.answer(readdress(bytes, upstreamId, sink.clientId), body, 200)
  }

  #notified(bytes: Buffer, body: JsonObject, method: string): void {
    const params = isObject(body.params) ? body.params : {}
    const owner = this.#owner(params, method)
    if (owner) {
      this.#extend(owner, performance.now() + this.#parts.limits.callSeconds * 1000)
      return owner.outgoing.sink.message(bytes, body)
    }
    if (method.endsWith('/list_changed')) {
      this.#parts.listChanged()
      this.#tell(bytes, body, () => true)
    } else if (method === 'notifications/resources/updated') {
      this.#tell(
        bytes,
        body,
        member => typeof params.uri === 'string' && member.subscriptions.has(params.uri),
      )
    } else if (method !== 'notifications/progress' && this.#members.size === 1 && this.#callers.size <= 1) {
      // Progress that is nobody's any more is of a request that was given up.
      this.#tell(bytes, body, () => true)
    }
  }

  // Progress names its request, a listen's messages name the listen; a log line names nothing. It may be about a call of before, so it is only certain when nobody else ever called.
  #owner(params: JsonObject, method: string): Pending | undefined {
    if (method === 'notifications/progress')
      return typeof params.progressToken === 'number' ? this.#pending.get(params.progressToken) : undefined
    const listen = isObject(params._meta) ? params._meta['io.modelcontextprotocol/subscriptionId'] : undefined
    if (listen !== undefined) return typeof listen === 'number' ? this.#pending.get(listen) : undefined
    if (method !== 'notifications/message' || this.#pending.size !== 1 || this.#callers.size > 1)
      return undefined
    return [...this.#pending.values()].find(pending => !pending.outgoing.endless)
  }

  #tell(bytes: Buffer, body: JsonObject, wanted: (member: Member) => boolean): void {
    for (const member of this.#members) if (wanted(member)) member.unsolicited?.message(bytes, body)
  }

  #asked(bytes: Buffer, body: JsonObject, method: string): void {
    const { id } = body
    if (typeof id !== 'number' && (typeof id !== 'string' || id.length > maxIdLength)) return
    if (method === 'ping') return this.#say({ jsonrpc: '2.0', id, result: {} })
    const pending = this.#parts.asksBack
      ? [...this.#pending.values()].findLast(({ member }) => member !== undefined)
      : undefined
    const member =
      pending?.member ??
      (this.#parts.asksBack && this.#members.size === 1 ? [...this.#members][0] : undefined)
    const isHeard = pending !== undefined || member?.unsolicited !== undefined
    if (member === undefined || !isHeard || member.asked.size >= maxAsked) {
      const error = {
        code: -32601,
        message: 'Nobody can be asked here: no single client waits for this server.',
      }
      return this.#say({ jsonrpc: '2.0', id, error })
    }
    member.asked.add(id)
    if (pending === undefined) return member.unsolicited?.message(bytes, body)
    // A person who is asked may think for as long as a call may take at all.
    this.#extend(pending, pending.latest)
    pending.outgoing.sink.message(bytes, body)
  }

  #extend(pending: Pending, until: number): void {
    if (pending.outgoing.endless) return
    pending.expiresAt = Math.max(pending.expiresAt, Math.min(until, pending.latest))
  }
}
