/** A listen of the stateless era where several servers stand behind one address: what each of them says, on one stream. */

import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { mayUseItem } from '../servers/index.ts'
import { type Flight, Listening, nextUpstreamId, type Upstream } from '../upstreams/index.ts'
import { mayHear, mayUse } from './clear.ts'
import type { Composed } from './composed-answers.ts'
import { askerOf } from './exchange.ts'
import { followLists } from './list-news.ts'
import { Reply } from './reply.ts'
import type { StatelessParts } from './stateless.ts'
import { metaKeys } from './versions.ts'

const flags = {
  toolsListChanged: 'notifications/tools/list_changed',
  promptsListChanged: 'notifications/prompts/list_changed',
  resourcesListChanged: 'notifications/resources/list_changed',
} as const
type Flag = keyof typeof flags

/** As one server behind a crossing. */
const mostResources = 200
/** How long the acknowledgement waits for the servers. */
const patienceMilliseconds = 3000
const longestPauseMilliseconds = 30_000

/** Opens the stream of a listen. */
export function listenComposed(parts: StatelessParts, visit: Composed, params: JsonObject): void {
  const { exchange, principal, upstream } = visit
  if (!mayUse(parts.access, principal, upstream)) fail('access.not_found')
  exchange.decision = { allowed: true, reason: 'each thing is decided about by itself' }
  const wanted = wantedOf(params.notifications)
  parts.streams.reserve(exchange)
  const upstreamId = nextUpstreamId()
  const reply: Reply = new Reply(exchange, {
    upstreamId,
    progressToken: undefined,
    isListen: true,
    whole: false,
    edits: { isPrivate: false },
    mayHear: method => mayHear(parts.access, exchange.principal ?? principal, upstream, method),
    taskName: () => undefined,
    listChanged: () => undefined,
    ended: () => parts.streams.remove(reply),
  })
  parts.streams.add(reply)
  exchange.upstreamStarted()
  new ComposedListen(parts, visit, { ...wanted, meta: params._meta, reply }).open()
}

type Wanted = { readonly lists: readonly Flag[]; readonly uris: readonly string[] }

function wantedOf(notifications: unknown): Wanted {
  if (!isObject(notifications))
    fail('mcp.invalid_params', { why: 'The parameter notifications must be an object.' })
  const uris: unknown = notifications.resourceSubscriptions ?? []
  if (!Array.isArray(uris) || uris.length > mostResources || !uris.every(uri => typeof uri === 'string'))
    fail('mcp.invalid_params', {
      why: `resourceSubscriptions must be a list of at most ${mostResources} URIs.`,
    })
  const lists = (Object.keys(flags) as Flag[]).filter(flag => notifications[flag] === true)
  return { lists, uris: [...new Set(uris)] }
}

class ComposedListen implements Flight {
  readonly #parts: StatelessParts
  readonly #visit: Composed
  readonly #wanted: Wanted & { readonly meta: unknown; readonly reply: Reply }
  readonly #listenings = new Set<Listening>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #stop: () => void = () => undefined
  #isOver = false

  constructor(
    parts: StatelessParts,
    visit: Composed,
    wanted: Wanted & { readonly meta: unknown; readonly reply: Reply },
  ) {
    this.#parts = parts
    this.#visit = visit
    this.#wanted = wanted
  }

  open(): void {
    const { reply, lists } = this.#wanted
    reply.started(this)
    const bySource = this.#sources()
    const honoured: string[] = []
    const asked = [...bySource.values()].map(({ source, uris }) =>
      this.#listenTo(source, uris, 500).then(agreed => honoured.push(...agreed)),
    )
    const late = new Promise(resolve => this.#later(() => resolve(undefined), patienceMilliseconds))
    const begun = lists.length > 0 ? this.#followLists() : undefined
    void Promise.race([Promise.all([...asked, begun]), late]).then(() => this.#acknowledge(honoured))
  }

  #followLists(): Promise<unknown> {
    const { upstream: server, principal } = this.#visit
    const { begun, stop } = followLists(this.#parts, { server, principal }, () => {
      for (const flag of this.#wanted.lists) this.#say({ method: flags[flag], params: {} })
    })
    this.#stop = stop
    return begun
  }

  pause(): void {}
  resume(): void {}

  abort(): void {
    this.#isOver = true
    this.#stop()
    for (const timer of this.#timers) clearTimeout(timer)
    for (const listening of this.#listenings) listening.close()
    this.#listenings.clear()
  }

  // What is not there, and what is not for this caller, is not listened for; the acknowledgement says what is.
  #sources(): Map<string, { source: Upstream; uris: string[] }> {
    const { upstream, principal } = this.#visit
    const bySource = new Map<string, { source: Upstream; uris: string[] }>()
    for (const uri of this.#wanted.uris) {
      const item = upstream.composition().resource(uri)
      if (item === undefined || !mayUseItem(this.#parts, principal, item)) continue
      const { source } = item
      const known = bySource.get(source.id) ?? { source, uris: [] }
      bySource.set(source.id, known)
      known.uris.push(uri)
    }
    return bySource
  }

  #acknowledge(uris: readonly string[]): void {
    const lists = Object.fromEntries(this.#wanted.lists.map(flag => [flag, true]))
    const notifications = uris.length > 0 ? { ...lists, resourceSubscriptions: uris } : lists
    if (this.#isOver) return
    this.#wanted.reply.streaming()
    this.#say({ method: 'notifications/subscriptions/acknowledged', params: { notifications } })
  }

  #say({ method, params }: { method: string; params: JsonObject }): void {
    if (this.#isOver) return
    const meta = isObject(params._meta) ? params._meta : {}
    const tagged = { ...params, _meta: { ...meta, [metaKeys.subscription]: 0 } }
    const message = { jsonrpc: '2.0', method, params: tagged }
    this.#wanted.reply.message(Buffer.from(JSON.stringify(message)), message)
  }

  /** The URIs that the server agreed to tell of. A stream that ends is opened again, after a pause that grows. */
  async #listenTo(source: Upstream, uris: string[], pause: number): Promise<readonly string[]> {
    const { vault, catalogue, connections, crossings } = this.#parts
    const again = () =>
      this.#later(
        () => void this.#listenTo(source, uris, Math.min(pause * 2, longestPauseMilliseconds)),
        pause,
      )
    try {
      const { exchange, principal } = this.#visit
      const asker = askerOf(exchange, principal)
      const equipped = await vault.equip(source, asker, exchange.own?.get(source.id))
      const eras = catalogue.eras(source.id) ?? (await catalogue.learnEras(source, asker))
      const isStateless = eras.includes('stateless')
      const link = isStateless ? await connections.stateless(equipped) : crossings.stateless(equipped)
      if (this.#isOver) return []
      return await new Promise(agreed => {
        const meta = Object.entries(isObject(this.#wanted.meta) ? this.#wanted.meta : {})
        const raw = Object.fromEntries(meta.map(([key, value]) => [key, JSON.stringify(value)]))
        const listening: Listening = new Listening(
          { link, meta: raw, patienceMs: patienceMilliseconds },
          { lists: [], uris },
          {
            acknowledged: honoured => agreed(honoured.uris),
            message: (_, message) => {
              const params = isObject(message.params) ? message.params : {}
              if (message.method === 'notifications/resources/updated')
                this.#say({ method: 'notifications/resources/updated', params })
            },
            ended: isRefused => {
              this.#listenings.delete(listening)
              agreed([])
              if (!isRefused && !this.#isOver) again()
            },
          },
        )
        this.#listenings.add(listening)
        listening.open()
      })
    } catch {
      // It is not there at the moment; it is asked again later.
      again()
      return []
    }
  }

  #later(act: () => void, milliseconds: number): void {
    if (this.#isOver) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      act()
    }, milliseconds)
    this.#timers.add(timer.unref())
  }
}
