import type { Database } from './database/index.ts'
import type { Log } from './foundation/log.ts'

type Parts = {
  readonly database: Pick<Database, 'revision'>
  readonly log: Log
  refresh(): Promise<unknown>
  distrust(): Promise<unknown>
}

const everyMilliseconds = 1000

/** After this long without word from the database nothing remembered may be trusted to be still so. */
const trustMilliseconds = 4000

/** Calls `refresh` within a second of any process having changed what the database says of identity, access or upstreams; `distrust` when it cannot be asked. */
export function followRevision(parts: Parts): () => void {
  const { database, log, refresh, distrust } = parts
  let seen: number | undefined
  let heardAt = performance.now()
  let isBusy = false
  const timer = setInterval(() => {
    if (isBusy) return
    isBusy = true
    look().finally(() => {
      isBusy = false
    })
  }, everyMilliseconds)
  timer.unref()

  async function look(): Promise<void> {
    try {
      const revision = await database.revision()
      // The first look too: the rooms may have read what they know before another process changed it.
      if (revision !== seen) await refresh()
      seen = revision
      heardAt = performance.now()
    } catch (error) {
      log.warn({ err: error }, 'the database cannot be asked for changes')
      // What is read anew for that cannot be read either; the next look tries again.
      if (performance.now() - heardAt > trustMilliseconds)
        await distrust().catch(cause => log.warn({ err: cause }, 'what is known cannot be read anew'))
    }
  }

  return () => clearInterval(timer)
}
