/** A session with an upstream that is opened again when the upstream has lost it. The client's own session stays. */
import { GatewayError } from '../foundation/errors.ts'
import { applyPatches, isObject, type JsonObject, spanAt } from '../foundation/json.ts'
import { type Collected, collect } from './collect.ts'
import { Hearing } from './hearing.ts'
import { type Patience, sendOver } from './late-flight.ts'
import type { Outgoing, SessionLink, Unsolicited } from './link.ts'
import { LostSession, nextUpstreamId } from './message.ts'
import type { Flight } from './sink.ts'

/** One attempt to open the session: the client's own `initialize` under an id of ours. */
export type Attempt = { readonly body: Buffer; readonly upstreamId: number; lost(): void }

export type HealingParts = {
  /** The `initialize` as it was first sent. */
  readonly body: Buffer
  readonly upstreamId: number
  readonly patience: Patience
  open(attempt: Attempt): Promise<SessionLink>
  /** The upstream has lost the session and refuses to open it again. */
  lost(): void
  /** Nothing of it is left. */
  closed(): void
}

/** What a client subscribed to beyond this is not restored. */
const keptSubscriptions = 1000

const initialized = Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}')

export class HealingSession implements SessionLink {
  readonly #parts: Omit<HealingParts, 'body'>
  /** The `initialize`, as a text: a small part of a buffer, kept, keeps all of its pool. */
  readonly #initialize: string
  /** The session as it is now; undefined while it is lost. */
  #link: SessionLink | undefined
  /** What was lost last. */
  #stillborn: SessionLink | undefined
  #opening: Collected | undefined
  #healing: Promise<SessionLink> | undefined
  #isOver = false
  #isInitialized = false
  /** Something may have been missed that nobody was there to be told of. */
  #isOwing = false
  #level: JsonObject | undefined
  readonly #subscriptions = new Set<string>()
  readonly #hearings = new Set<Hearing>()

  constructor({ body, ...parts }: HealingParts) {
    this.#parts = parts
    this.#initialize = body.toString('latin1')
  }

  get opening(): Collected {
    if (this.#opening === undefined) throw new GatewayError('internal.unexpected')
    return this.#opening
  }

  /** Opens it for the first time. */
  async begin(): Promise<void> {
    this.#link = await this.#open(this.#body(), this.#parts.upstreamId)
    this.#opening = this.#link.opening
  }

  #body(): Buffer {
    return Buffer.from(this.#initialize, 'latin1')
  }

  request(outgoing: Outgoing): Flight {
    this.#note(outgoing)
    return this.#link?.request(outgoing) ?? sendOver(this.#heal(), outgoing, this.#parts.patience)
  }

  async notify(method: string, body: Buffer): Promise<void> {
    if (method === 'notifications/initialized') this.#isInitialized = true
    const link = this.#link
    // What a session that is gone was to be told is of no use to the next.
    if (link === undefined) return
    try {
      await link.notify(method, body)
    } catch (error) {
      if (this.#link === link) throw error
    }
  }

  async respond(id: string | number, body: Buffer): Promise<boolean> {
    return (await this.#link?.respond(id, body)) ?? false
  }

  cancel(upstreamId: number, reason: string | undefined): void {
    this.#link?.cancel(upstreamId, reason)
  }

  listen(to: Unsolicited, lastEventId: string | undefined): Flight {
    const hearing = new Hearing({
      to,
      link: () => this.#link ?? this.#heal(),
      ended: () => this.#hearings.delete(hearing),
    })
    this.#hearings.add(hearing)
    hearing.open(lastEventId)
    if (this.#isOwing) this.#tellMissed()
    return hearing
  }

  async close(): Promise<void> {
    if (this.#isOver) return
    this.#end()
    await this.#link?.close()
  }

  /** Ends it because its server is not what it was; nothing is left to be told there. */
  forsake(): void {
    if (this.#isOver) return
    this.#end()
    this.#parts.lost()
  }

  #end(): void {
    this.#isOver = true
    for (const hearing of [...this.#hearings]) hearing.abort()
    this.#parts.closed()
  }

  #note({ method, params }: Outgoing): void {
    if (method === 'logging/setLevel') this.#level = params
    const { uri } = params
    if (typeof uri !== 'string') return
    if (method === 'resources/unsubscribe') this.#subscriptions.delete(uri)
    else if (method === 'resources/subscribe' && this.#subscriptions.size < keptSubscriptions)
      this.#subscriptions.add(uri)
  }

  async #open(body: Buffer, upstreamId: number): Promise<SessionLink> {
    let link: SessionLink | undefined
    link = await this.#parts.open({ body, upstreamId, lost: () => this.#lost(link) })
    return link
  }

  #lost(link: SessionLink | undefined): void {
    this.#stillborn = link
    if (this.#isOver || link === undefined || this.#link !== link) return
    this.#link = undefined
    for (const hearing of this.#hearings) hearing.again()
  }

  // One attempt for everybody who needs it.
  #heal(): Promise<SessionLink> {
    this.#healing ??= this.#reopen().finally(() => {
      this.#healing = undefined
    })
    return this.#healing
  }

  async #reopen(): Promise<SessionLink> {
    if (this.#isOver) throw new LostSession()
    const upstreamId = nextUpstreamId()
    const link = await this.#open(withId(this.#body(), upstreamId), upstreamId)
    if (this.#isOver || !this.#isSame(link.opening)) {
      await link.close()
      this.forsake()
      throw new LostSession()
    }
    await this.#restore(link)
    if (this.#stillborn === link) throw new LostSession()
    this.#link = link
    void this.#restoreSubscriptions(link)
    for (const hearing of this.#hearings) hearing.now()
    return link
  }

  // A session of another revision is another session: its client must know.
  #isSame({ body: { result } }: Collected): boolean {
    const before = this.opening.body.result
    return isObject(result) && isObject(before) && result.protocolVersion === before.protocolVersion
  }

  async #restore(link: SessionLink): Promise<void> {
    if (this.#isInitialized) await link.notify('notifications/initialized', initialized)
    if (this.#level) await ask(link, 'logging/setLevel', this.#level)
  }

  async #restoreSubscriptions(link: SessionLink): Promise<void> {
    for (const uri of this.#subscriptions) {
      if (this.#link !== link) return
      await ask(link, 'resources/subscribe', { uri })
    }
    this.#tellMissed()
  }

  /** Whatever changed while nobody listened was not heard of: the client is told to look again. */
  #tellMissed(): void {
    const [hearing] = this.#hearings
    this.#isOwing = hearing === undefined
    if (hearing === undefined) return
    const { result } = this.opening.body
    const capabilities = isObject(result) && isObject(result.capabilities) ? result.capabilities : {}
    for (const list of ['tools', 'prompts', 'resources']) {
      const capability = capabilities[list]
      if (isObject(capability) && capability.listChanged === true)
        hearing.tell({ jsonrpc: '2.0', method: `notifications/${list}/list_changed` })
    }
    for (const uri of this.#subscriptions)
      hearing.tell({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } })
  }
}

function withId(body: Buffer, upstreamId: number): Buffer {
  const span = spanAt(body, ['id'])
  return span === undefined ? body : applyPatches(body, [{ span, text: String(upstreamId) }])
}

// What the server refuses now it is not asked again; the session is of use without it.
async function ask(link: SessionLink, method: string, params: JsonObject): Promise<void> {
  const upstreamId = nextUpstreamId()
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: upstreamId, method, params }))
  await collect(String(upstreamId), sink =>
    link.request({ body, upstreamId, method, params, sink, mirrored: [], endless: false }),
  ).catch(() => undefined)
}
