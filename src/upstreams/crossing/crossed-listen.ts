/** A listen of a stateless-era client on a session: what the session says unasked, filtered and tagged as that client asked. */
import { fail, type GatewayError } from '../../foundation/errors.ts'
import { isObject, type JsonObject } from '../../foundation/json.ts'
import type { Outgoing } from '../link.ts'
import type { Flight } from '../sink.ts'
import type { Listener, PooledSession } from './pooled-session.ts'
import type { Lease } from './session-pool.ts'
import { subscribed } from './stateless-dress.ts'

/** Each takes a request to the server. */
const mostResources = 200

/** Changes say only that something is to be read anew, so more of them than this say nothing more. */
const mostEarly = 100

type Filter = { readonly flags: readonly string[]; readonly uris: readonly string[] }

/** What may be listened for, the notification it lets through, and the capability of the server that it needs. */
const kinds = [
  ['toolsListChanged', 'notifications/tools/list_changed', 'tools'],
  ['promptsListChanged', 'notifications/prompts/list_changed', 'prompts'],
  ['resourcesListChanged', 'notifications/resources/list_changed', 'resources'],
] as const

export class CrossedListen implements Listener {
  readonly #outgoing: Outgoing
  readonly #wanted: Filter
  #session: PooledSession | undefined
  #stop: () => void = () => {}
  #heard: ReadonlySet<string> = new Set()
  #uris = new Set<string>()
  /** What came before the acknowledgement, which has to be first; undefined once that is out. */
  #early: [Buffer, JsonObject][] | undefined = []
  #isOver = false

  constructor(outgoing: Outgoing) {
    this.#outgoing = outgoing
    this.#wanted = filterOf(outgoing.params.notifications)
    outgoing.sink.started(this.flight)
  }

  readonly flight: Flight = {
    pause: () => {},
    resume: () => {},
    abort: () => this.#end(),
  }

  async open({ session, release }: Lease): Promise<void> {
    if (this.#isOver) return release()
    this.#session = session
    const honoured = kinds.filter(
      ([flag, , kind]) => this.#wanted.flags.includes(flag) && can(session, kind, 'listChanged'),
    )
    this.#heard = new Set(honoured.map(([, method]) => method))
    const unfollow = session.follow(this)
    this.#stop = () => {
      unfollow()
      release()
    }
    if (can(session, 'resources', 'subscribe')) await this.#subscribe(session)
    if (!this.#isOver) this.#acknowledge(honoured.map(([flag]) => flag))
  }

  message(bytes: Buffer, message: JsonObject, method: string): void {
    const uri = isObject(message.params) ? message.params.uri : undefined
    const isWanted =
      method === 'notifications/resources/updated'
        ? typeof uri === 'string' && this.#uris.has(uri)
        : this.#heard.has(method)
    if (!isWanted || this.#isOver) return
    if (this.#early === undefined) this.#outgoing.sink.message(subscribed(bytes, message), message)
    else if (this.#early.length < mostEarly) this.#early.push([bytes, message])
  }

  lost(error: GatewayError): void {
    this.failed(error)
  }

  failed(error: GatewayError): void {
    if (this.#end()) this.#outgoing.sink.failed(error)
  }

  async #subscribe(session: PooledSession): Promise<void> {
    for (const uri of this.#wanted.uris) {
      if (this.#isOver) return
      if (!(await session.subscribe(uri))) continue
      if (this.#isOver) return session.unsubscribe(uri)
      this.#uris.add(uri)
    }
  }

  // The first message of a listen, and what it names is what will be heard (2026-07-28, basic/patterns/subscriptions).
  #acknowledge(flags: readonly string[]): void {
    const { sink } = this.#outgoing
    const notifications = {
      ...Object.fromEntries(flags.map(flag => [flag, true])),
      ...(this.#uris.size > 0 ? { resourceSubscriptions: [...this.#uris] } : {}),
    }
    const acknowledgement = {
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 0 }, notifications },
    }
    sink.streaming()
    sink.message(Buffer.from(JSON.stringify(acknowledgement)), acknowledgement)
    const early = this.#early ?? []
    this.#early = undefined
    for (const [bytes, message] of early) sink.message(subscribed(bytes, message), message)
  }

  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#stop()
    for (const uri of this.#uris) this.#session?.unsubscribe(uri)
    return true
  }
}

function can({ capabilities }: PooledSession, kind: string, what: 'listChanged' | 'subscribe'): boolean {
  const capability = capabilities[kind]
  return isObject(capability) && capability[what] === true
}

function filterOf(notifications: unknown): Filter {
  if (!isObject(notifications))
    fail('mcp.invalid_params', { why: 'The parameter notifications must be an object.' })
  const uris: unknown = notifications.resourceSubscriptions ?? []
  if (!Array.isArray(uris) || uris.length > mostResources || !uris.every(uri => typeof uri === 'string'))
    fail('mcp.invalid_params', {
      why: `resourceSubscriptions must be a list of at most ${mostResources} URIs.`,
    })
  return {
    flags: kinds.map(([flag]) => flag).filter(flag => notifications[flag] === true),
    uris: [...new Set(uris)],
  }
}
