import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from '../database/index.ts'
import { newHandle } from '../foundation/id.ts'
import type { Log } from '../foundation/log.ts'
import type { Caller, Route } from '../foundation/route.ts'
import { Backlog } from './backlog.ts'
import type { AuditRecord } from './event.ts'
import { Leftovers } from './leftovers.ts'
import { type Lock, tryLock } from './lock.ts'
import { auditRoutes } from './routes.ts'
import { type Filter, type Found, searchEvents } from './search.ts'
import { Shipper } from './ship.ts'
import { Spool } from './spool.ts'
import { insertEvents } from './table.ts'

export { type Change, changeEvent, hashInput } from './change-event.ts'
export type { AuditEvent, AuditRecord } from './event.ts'
export type { Filter, Found } from './search.ts'

export type AuditHealth = {
  /** Why events cannot be written, so that calls are refused; undefined when they can. */
  readonly writing: string | undefined
  /** Why events do not get into the database; undefined when they do. */
  readonly shipping: string | undefined
  /** Bytes of events that are safe in the spool and not in the database yet. */
  readonly waitingBytes: number
}

export type Audit = AuditRecord & {
  /** Finds events, newest first, including those recorded just before. Members see only their own. */
  search(caller: Caller, filter: Filter): Promise<Found>
  readonly routes: readonly Route[]
  health(): AuditHealth
  /** Resolves when everything recorded so far is in the database. Never inside `database.change`, which it would wait for. */
  flush(): Promise<void>
  /** Ships what waits; what the database does not take stays in the spool for the next start. Close the database after it. */
  close(): Promise<void>
}

export type AuditParts = {
  readonly database: Database
  readonly dataDir: string
  readonly log: Log
  /** Have every event on the disk itself before its answer is given, so that it survives power loss. */
  readonly sync: boolean
}

const megabyte = 1024 * 1024
const segmentBytes = 16 * megabyte
const bounds = { pieceEvents: 200, pieceBytes: megabyte / 4, memoryBytes: 16 * megabyte }
const adoptMilliseconds = 60_000

/** Opens the audit: an append-only spool in `<dataDir>/spool`, which is shipped to the database. */
export async function openAudit({ database, dataDir, log, sync }: AuditParts): Promise<Audit> {
  const directory = join(dataDir, 'spool')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const { run, lock } = beginRun(directory)
  const backlog = new Backlog(bounds, log)
  const shipper = new Shipper({ backlog, insert: batch => insertEvents(database, batch), log })
  const spool = new Spool({
    directory,
    run,
    sync,
    segmentBytes,
    accept: (batch, segment, bytes) => shipper.notice(backlog.add(segment, bytes, batch)),
    finished: segment => backlog.finished(segment),
    log,
  })
  const leftovers = new Leftovers({ directory, backlog, log })
  const adopt = () => {
    leftovers.adopt()
    if (backlog.waitingBytes > 0) shipper.notice(true)
  }
  adopt()
  const adopting = setInterval(adopt, adoptMilliseconds).unref()
  return {
    ...recording(spool),
    ...searching(database, spool, shipper),
    health: () => ({
      writing: spool.problem,
      shipping: shipper.problem,
      waitingBytes: backlog.waitingBytes,
    }),
    async close() {
      clearInterval(adopting)
      await spool.close()
      shipper.close()
      // What is not taken now has been noted, and stays in the spool for the next start.
      await shipper.flush().catch(() => undefined)
      leftovers.close()
      lock.release()
    },
  }
}

function recording(spool: Spool): AuditRecord {
  return {
    record: (event, written) => spool.record(event, written),
    recorded: event =>
      new Promise((resolve, reject) => {
        spool.record(event, error => (error === undefined ? resolve() : reject(error)))
      }),
  }
}

function searching(
  database: Database,
  spool: Spool,
  shipper: Shipper,
): Pick<Audit, 'flush' | 'search' | 'routes'> {
  const flush = async () => {
    await spool.settled()
    await shipper.flush()
  }
  const search: Audit['search'] = async (caller, filter) => {
    await flush()
    return searchEvents(database, caller, filter)
  }
  return { flush, search, routes: auditRoutes(search) }
}

function beginRun(directory: string): { run: string; lock: Lock } {
  for (;;) {
    const run = newHandle()
    const lock = tryLock(join(directory, `${run}.lock`))
    if (lock !== undefined) return { run, lock }
  }
}
