import type { Collected } from '../collect.ts'
import type { Outgoing, SessionLink, Unsolicited } from '../link.ts'
import type { Flight } from '../sink.ts'
import type { Channel, Member } from './channel.ts'

export type ChannelSessionParts = {
  readonly channel: Channel
  readonly opening: Collected
  /** The gateway shook hands for everybody; the client's own `initialized` is not news to the server. */
  readonly sharedHandshake: boolean
  readonly asksBack: boolean
  /** Resolves once it is on its way, so that what follows cannot overtake it. */
  send(body: Buffer): unknown
  lost(): void
  /** After the session has left the channel. */
  left(): void
}

/** One client's session on a channel. */
export function openChannelSession(parts: ChannelSessionParts): SessionLink {
  return new ChannelSession(parts)
}

class ChannelSession implements SessionLink {
  readonly opening: Collected
  readonly #parts: ChannelSessionParts
  readonly #member: Member

  constructor(parts: ChannelSessionParts) {
    this.opening = parts.opening
    this.#parts = parts
    this.#member = {
      unsolicited: undefined,
      subscriptions: new Set(),
      asked: new Set(),
      lost: () => parts.lost(),
    }
    parts.channel.join(this.#member)
  }

  request(outgoing: Outgoing): Flight {
    const uri = this.#subscription(outgoing)
    if (
      outgoing.method === 'resources/unsubscribe' &&
      uri !== undefined &&
      this.#parts.channel.subscribers(uri) > 0
    ) {
      return this.#answerAlone(outgoing)
    }
    return this.#parts.channel.request(outgoing, this.#member)
  }

  async notify(method: string, body: Buffer): Promise<void> {
    if (this.#parts.sharedHandshake && method === 'notifications/initialized') return
    // Where nobody can be asked, a client's notifications are about nothing the server knows of.
    if (!this.#parts.asksBack) return
    await this.#parts.send(body)
  }

  async respond(id: string | number, body: Buffer): Promise<boolean> {
    if (!this.#member.asked.delete(id)) return false
    await this.#parts.send(body)
    return true
  }

  cancel(upstreamId: number, reason: string | undefined): void {
    this.#parts.channel.cancel(upstreamId, reason)
  }

  listen(to: Unsolicited): Flight {
    this.#member.unsolicited = to
    const stop = () => {
      if (this.#member.unsolicited === to) this.#member.unsolicited = undefined
    }
    return { pause: () => {}, resume: () => {}, abort: stop }
  }

  async close(): Promise<void> {
    this.#parts.channel.leave(this.#member)
    this.#parts.left()
  }

  #subscription(outgoing: Outgoing): string | undefined {
    if (outgoing.method !== 'resources/subscribe' && outgoing.method !== 'resources/unsubscribe')
      return undefined
    const { uri } = outgoing.params
    if (typeof uri !== 'string') return undefined
    if (outgoing.method === 'resources/subscribe') this.#member.subscriptions.add(uri)
    else this.#member.subscriptions.delete(uri)
    return uri
  }

  // Somebody else on the channel still listens: the server keeps its subscription, this client has ended its own.
  #answerAlone(outgoing: Outgoing): Flight {
    const bytes = Buffer.from(`{"jsonrpc":"2.0","id":${outgoing.sink.clientId},"result":{}}`)
    outgoing.sink.answer(bytes, { jsonrpc: '2.0', result: {} }, 200)
    return { pause: () => {}, resume: () => {}, abort: () => {} }
  }
}
