/** When what stands behind a composed server may be another than it was: those who listen are told, once for many changes. */
import type { Announcements } from '../foundation/announcements.ts'
import { type ComposedServer, everythingId } from '../servers/index.ts'

const gatherMilliseconds = 50

/** Returns the function that stops it. */
export function whenChanged(
  announcements: Announcements,
  server: ComposedServer,
  tell: () => void,
): () => void {
  let timer: NodeJS.Timeout | undefined
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = undefined
      tell()
    }, gatherMilliseconds).unref()
  }
  const isBehind = (serverId: string) => server.composition().sources.some(({ id }) => id === serverId)
  const stops = [announcements.listen('catalogue.read', ({ serverId }) => isBehind(serverId) && soon())]
  // What is everything for a caller depends on what they may, and on which servers there are.
  if (server.id === everythingId)
    for (const topic of ['access.changed', 'upstream.changed'] as const)
      stops.push(announcements.listen(topic, soon))
  return () => {
    clearTimeout(timer)
    for (const stop of stops) stop()
  }
}
