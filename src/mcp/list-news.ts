/** Tells a client of a composed server when its lists may be others: because a server behind it changed, or what it is made of. */
import type { Announcements } from '../foundation/announcements.ts'
import type { Principal } from '../identity/index.ts'
import { everythingId, isComposed, type Served, type Servers } from '../servers/index.ts'
import type { ListWatch, Unsolicited, Watching } from '../upstreams/index.ts'

export type NewsParts = {
  readonly announcements: Announcements
  readonly servers: Pick<Servers, 'find' | 'everything'>
  readonly watch: ListWatch
}

type Of = { readonly server: Served; readonly principal: Principal }

/** Several servers are often read one after the other; their clients are told once. */
const pauseMilliseconds = 100

/** Calls `tell` whenever it is worth asking for the lists again, until it is stopped. */
export function followLists(
  { announcements, servers, watch }: NewsParts,
  of: Of,
  tell: () => void,
): Watching {
  const { server, principal } = of
  const isEverything = server.id === everythingId
  // The object that came with the request stands for what was behind the address then.
  const now = () => {
    const found = isEverything ? servers.everything(principal) : servers.find(server.group, server.name)
    return found !== undefined && isComposed(found) ? found.composition().sources : []
  }
  let sources = now()
  let watching = watch.watch(sources)
  let changed = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  const look = () => {
    timer = undefined
    const before = sources
    sources = now()
    const concerns = [server, ...before, ...sources].some(({ id }) => changed.has(id))
    changed = new Set()
    if (!concerns) return
    const next = watch.watch(sources)
    watching.stop()
    watching = next
    tell()
  }
  const note = ({ serverId }: { readonly serverId: string }) => {
    changed.add(serverId)
    timer ??= setTimeout(look, pauseMilliseconds).unref()
  }
  const stops = (['catalogue.read', 'upstream.changed'] as const).map(topic =>
    announcements.listen(topic, note),
  )
  // What is everything for a caller depends on what they may.
  if (isEverything) stops.push(announcements.listen('access.changed', () => note({ serverId: everythingId })))
  return {
    begun: watching.begun,
    stop: () => {
      clearTimeout(timer)
      for (const stop of stops) stop()
      watching.stop()
    },
  }
}

const lists = ['tools', 'resources', 'prompts'] as const

/** Has a client of the session era ask for every list again. */
export function tellLists(to: Unsolicited): void {
  for (const list of lists) {
    const message = { jsonrpc: '2.0', method: `notifications/${list}/list_changed` }
    to.message(Buffer.from(JSON.stringify(message)), message)
  }
}
