/** The names of all tools of all servers: what a tool could be taken for. */
import type { Neighbours } from './definition-scan.ts'
import { skeleton } from './look-alike.ts'

export class ToolNames {
  readonly #byServer = new Map<string, ReadonlySet<string>>()
  /** Which servers have a tool of this name. */
  readonly #byName = new Map<string, Set<string>>()
  readonly #bySkeleton = new Map<string, Set<string>>()

  /** What a server offers now; nothing when it is gone. */
  put(serverId: string, names: Iterable<string>): void {
    const after = new Set(names)
    const before = this.#byServer.get(serverId) ?? new Set()
    for (const name of before) if (!after.has(name)) this.#remove(serverId, name)
    for (const name of after) if (!before.has(name)) this.#add(serverId, name)
    if (after.size > 0) this.#byServer.set(serverId, after)
    else this.#byServer.delete(serverId)
  }

  /** As a tool of this server sees the others; of other servers only those that `counts` says. */
  around(serverId: string, counts: (serverId: string) => boolean = () => true): Neighbours {
    const isOwn = (name: string) => this.#byName.get(name)?.has(serverId) === true
    const isOthers = (name: string) =>
      [...(this.#byName.get(name) ?? [])].some(other => other !== serverId && counts(other))
    return {
      isOwn,
      isOthers,
      twins: name =>
        [...(this.#bySkeleton.get(skeleton(name)) ?? [])].filter(
          twin => twin !== name && (isOwn(twin) || isOthers(twin)),
        ),
    }
  }

  #add(serverId: string, name: string): void {
    const servers = this.#byName.get(name)
    if (servers !== undefined) return void servers.add(serverId)
    this.#byName.set(name, new Set([serverId]))
    const key = skeleton(name)
    const twins = this.#bySkeleton.get(key) ?? new Set()
    this.#bySkeleton.set(key, twins.add(name))
  }

  #remove(serverId: string, name: string): void {
    const servers = this.#byName.get(name)
    servers?.delete(serverId)
    if (servers === undefined || servers.size > 0) return
    this.#byName.delete(name)
    const key = skeleton(name)
    const twins = this.#bySkeleton.get(key)
    twins?.delete(name)
    if (twins?.size === 0) this.#bySkeleton.delete(key)
  }
}
