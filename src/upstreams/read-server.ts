/** One reading of a server: what it speaks and what it offers, held against what was known. */

import type { CatalogueParts } from './catalogue.ts'
import { storeReading } from './catalogue-table.ts'
import type { Equipped } from './equipped.ts'
import { openFound } from './find-eras.ts'
import { type Known, openEraMilliseconds, type Synced } from './known-server.ts'
import { hashesOf, readCatalogue, serverNameOf } from './read-catalogue.ts'
import { toolsOf } from './tool-facts.ts'
import type { ToolWatch } from './tool-watch.ts'

const askSeconds = 15

type Reading = Pick<CatalogueParts, 'connections' | 'limits' | 'clock' | 'database'> & {
  readonly watch: ToolWatch
  /** A server that was changed meanwhile is being read anew, and that is what is to be kept. */
  isCurrent(): boolean
  tell(): void
}

/** Throws `upstream.*`; what was known stays then. */
export async function readServer(reading: Reading, to: Equipped, known: Known): Promise<Synced> {
  const { connections, limits, clock, database, watch, isCurrent, tell } = reading
  const { upstream } = to
  const { eras: before = [], erasUntil: until = 0 } = known.facts ?? {}
  const about = { seconds: askSeconds, before, isKnown: until > clock.now() }
  const { client, found } = await openFound(connections, to, about)
  const holds = found?.isCertain === false ? openEraMilliseconds : limits.eraSeconds * 1000
  try {
    const { items, warnings } = await readCatalogue(client, limits)
    const facts = {
      serverId: upstream.id,
      eras: found?.eras ?? before,
      erasUntil: found ? clock.now() + holds : until,
      checkedAt: clock.now(),
      warnings,
      serverName: serverNameOf(client.greeting),
    }
    const hasNews = isCurrent() && (await watch.reading(upstream, items))
    known.facts = facts
    known.trouble = undefined
    const isSame = hashesOf(known.items) === hashesOf(items)
    known.items = items
    known.tools = toolsOf(items)
    known.observed.forget(known.tools.keys())
    if (hasNews) known.observed.distrust()
    if (isCurrent()) await storeReading(database, facts, items)
    if (!isSame || hasNews) tell()
    return { facts, items }
  } finally {
    await client.close()
  }
}
