import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from '../database/index.ts'
import { newHandle } from '../foundation/id.ts'
import type { Log } from '../foundation/log.ts'
import type { Caller, Route } from '../foundation/route.ts'
import type { AuditRecord } from './event.ts'
import { type Lock, tryLock } from './lock.ts'
import { auditRoutes } from './routes.ts'
import { type Filter, type Found, searchEvents } from './search.ts'
import type { Segment } from './segment.ts'
import { Shipper } from './shipper.ts'
import { Spool } from './spool.ts'
import { type Counted, type CountFilter, countCalls } from './usage-table.ts'

export { type Change, changeEvent, hashInput, ownEvent } from './change-event.ts'
export type { AuditEvent, AuditRecord } from './event.ts'
export { type Refusal, refusalEvent } from './refusal-event.ts'
export type { Filter, Found } from './search.ts'
export type { Counted, CountedBy, CountFilter } from './usage-table.ts'

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
  /** Counts calls, including those recorded just before. Who may see them is for whoever asks to know. */
  count(filter: CountFilter): Promise<readonly Counted[]>
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
// Some five hundred events, a few milliseconds in which other writers of the database wait.
const pieceBytes = (megabyte * 5) / 16

/** Opens the audit: an append-only spool in `<dataDir>/spool`, which is shipped to the database. */
export async function openAudit({ database, dataDir, log, sync }: AuditParts): Promise<Audit> {
  const directory = join(dataDir, 'spool')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const { run, lock } = beginRun(directory)
  const shipper = new Shipper({ directory, run, pieceBytes, database: database.place }, log)
  const changed = (segment: Segment, bytes: number) => shipper.notice(segment, bytes)
  const spool = new Spool({ directory, run, sync, segmentBytes, changed, log })
  return {
    ...recording(spool),
    ...searching(database, spool, shipper),
    health: () => ({
      writing: spool.problem,
      shipping: shipper.problem,
      waitingBytes: shipper.waitingBytes,
    }),
    async close() {
      await spool.close()
      await shipper.close()
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
): Pick<Audit, 'flush' | 'search' | 'count' | 'routes'> {
  const flush = async () => {
    await spool.settled()
    await shipper.flush()
  }
  const search: Audit['search'] = async (caller, filter) => {
    await flush()
    return searchEvents(database, caller, filter)
  }
  const count: Audit['count'] = async filter => {
    await flush()
    return countCalls(database, filter)
  }
  return { flush, search, count, routes: auditRoutes(search) }
}

function beginRun(directory: string): { run: string; lock: Lock } {
  for (;;) {
    const run = newHandle()
    const lock = tryLock(join(directory, `${run}.lock`))
    if (lock !== undefined) return { run, lock }
  }
}
