/** Hears from servers that a list of theirs changed, for as long as somebody wants to know: one stream for each, however many do. */
import type { Announcements } from '../foundation/announcements.ts'
import type { Catalogue } from './catalogue.ts'
import type { Connections } from './connections.ts'
import type { Crossings } from './crossing/crossings.ts'
import { Listening, type ListField } from './crossing/session-over-stateless-listen.ts'
import type { Equipped } from './equipped.ts'
import { metaKeys } from './revisions.ts'
import type { Upstream } from './upstream.ts'

export type ListWatchParts = {
  readonly catalogue: Pick<Catalogue, 'eras' | 'learnEras'>
  readonly connections: Pick<Connections, 'stateless'>
  readonly crossings: Pick<Crossings, 'stateless'>
  readonly announcements: Announcements
  /** Credentials for the gateway's own questions. */
  equip(upstream: Upstream): Equipped | Promise<Equipped>
}

export type Watching = {
  /** Every server listens, or cannot at the moment. */
  readonly begun: Promise<unknown>
  stop(): void
}

export type ListWatch = {
  /** Announces `catalogue.changed` for each of these that says so, until it is stopped. */
  watch(upstreams: readonly Upstream[]): Watching
  close(): void
}

const lists: readonly ListField[] = ['toolsListChanged', 'promptsListChanged', 'resourcesListChanged']
const meta = {
  [metaKeys.version]: '"2026-07-28"',
  [metaKeys.capabilities]: '{}',
}
const patienceMs = 3000
const firstPauseMs = 500
const longestPauseMs = 30_000

export function openListWatch(parts: ListWatchParts): ListWatch {
  const watched = new Map<string, WatchedServer>()
  const enter = (upstream: Upstream): (() => void) => {
    const known = watched.get(upstream.id)
    const server = known?.upstream === upstream ? known : new WatchedServer(parts, upstream)
    watched.set(upstream.id, server)
    if (server.users++ === 0) server.open()
    return () => {
      if (--server.users > 0) return
      server.close()
      if (watched.get(upstream.id) === server) watched.delete(upstream.id)
    }
  }
  return {
    watch(upstreams) {
      const remote = upstreams.filter(isRemote)
      const leave = remote.map(enter)
      const begun = Promise.all(remote.map(({ id }) => watched.get(id)?.begun))
      const stop = () => {
        for (const each of leave.splice(0)) each()
      }
      return { begun, stop }
    },
    close() {
      for (const server of watched.values()) server.close()
    },
  }
}

// What a process says is heard whenever it runs, and none is started to be listened to.
function isRemote({ transport }: Upstream): boolean {
  return transport.kind !== 'stdio'
}

class WatchedServer {
  readonly upstream: Upstream
  readonly begun: Promise<void>
  users = 0
  readonly #parts: ListWatchParts
  readonly #began: () => void
  #listening: Listening | undefined
  #timer: NodeJS.Timeout | undefined
  #pauseMs = firstPauseMs
  #isOver = false

  constructor(parts: ListWatchParts, upstream: Upstream) {
    this.#parts = parts
    this.upstream = upstream
    const { promise, resolve } = Promise.withResolvers<void>()
    this.begun = promise
    this.#began = resolve
  }

  open(): void {
    this.#listen().catch(() => this.#again())
  }

  close(): void {
    this.#isOver = true
    this.#began()
    clearTimeout(this.#timer)
    this.#listening?.close()
  }

  async #listen(): Promise<void> {
    const { catalogue, connections, crossings, announcements, equip } = this.#parts
    const { id } = this.upstream
    const eras = catalogue.eras(id) ?? (await catalogue.learnEras(this.upstream))
    const equipped = await equip(this.upstream)
    const link = eras.includes('stateless')
      ? await connections.stateless(equipped)
      : crossings.stateless(equipped)
    if (this.#isOver) return
    const changed = () => announcements.announce({ topic: 'catalogue.changed', serverId: id })
    this.#listening = new Listening(
      { link, meta, patienceMs },
      { lists, uris: [] },
      {
        acknowledged: () => {
          // What it said while nobody listened is not heard any more.
          if (this.#pauseMs > firstPauseMs) changed()
          this.#pauseMs = firstPauseMs
          this.#began()
        },
        message: (_, { method }) => {
          if (String(method).endsWith('/list_changed')) changed()
        },
        ended: isRefused => {
          if (isRefused) return this.#began()
          // It may be gone, and then its lists are not what they were.
          if (this.#pauseMs === firstPauseMs) changed()
          this.#again()
        },
      },
    )
    this.#listening.open()
  }

  #again(): void {
    this.#began()
    if (this.#isOver) return
    this.#timer = setTimeout(() => this.open(), this.#pauseMs).unref()
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2)
  }
}
