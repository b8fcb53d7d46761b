/** The append-only record on disk that an event is in before its answer is given. */
import { join } from 'node:path'
import { GatewayError } from '../foundation/errors.ts'
import type { Log } from '../foundation/log.ts'
import type { AuditEvent } from './event.ts'
import { Segment } from './segment.ts'

export type Written = (error?: Error) => void

/** What one turn of the event loop recorded. */
type Queue = {
  /** Whole lines. */
  lines: string
  readonly callbacks: Written[]
}

const emptyQueue = (): Queue => ({ lines: '', callbacks: [] })

type Parts = {
  readonly directory: string
  /** Names the files of this run. */
  readonly run: string
  /** Let every batch reach the disk itself before it counts as written. */
  readonly sync: boolean
  readonly segmentBytes: number
  /** Hears of every segment that grew by some bytes, or that nothing will be added to. */
  readonly changed: (segment: Segment, bytes: number) => void
  readonly log: Log
}

export class Spool {
  readonly #parts: Parts
  #queue = emptyQueue()
  #segment: Segment | undefined
  #started = 0
  #isSyncing = false
  #isClosed = false
  #problem: Error | undefined

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Why the last write failed; undefined when it did not. */
  get problem(): string | undefined {
    return this.#problem?.message
  }

  record(event: AuditEvent, written: Written): void {
    if (this.#isClosed) {
      written(new GatewayError('audit.unavailable', { internal: 'The audit is closed.' }))
      return
    }
    this.#queue.lines += `${JSON.stringify(event)}\n`
    this.#enqueue(written)
  }

  /** Resolves when everything recorded so far is written or refused. */
  settled(): Promise<void> {
    return new Promise(resolve => this.#enqueue(() => resolve()))
  }

  /** Writes what is queued and refuses what comes later. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.settled()
    this.#finish()
  }

  #enqueue(written: Written): void {
    // After the poll phase, when all sockets that were ready have had their say: many events, one write.
    if (this.#queue.callbacks.push(written) === 1 && !this.#isSyncing) setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    if (this.#isSyncing) return
    const batch = this.#queue
    this.#queue = emptyQueue()
    try {
      this.#write(batch)
    } catch (cause) {
      this.#refuse(batch, cause)
    }
  }

  #write(batch: Queue): void {
    if (batch.lines === '') {
      this.#settle(batch)
      return
    }
    this.#segment ??= this.#newSegment()
    const bytes = this.#segment.append(batch.lines)
    if (this.#parts.sync) this.#syncThenKeep(this.#segment, batch, bytes)
    else this.#keep(this.#segment, batch, bytes)
  }

  #newSegment(): Segment {
    const { directory, run, log } = this.#parts
    this.#started = Math.max(Date.now(), this.#started + 1)
    return new Segment(join(directory, `${this.#started}-${run}.ndjson`), log)
  }

  /** The event loop goes on meanwhile; what is recorded during it waits and shares the next write. */
  #syncThenKeep(segment: Segment, batch: Queue, bytes: number): void {
    this.#isSyncing = true
    segment.sync(error => {
      this.#isSyncing = false
      if (error === null) this.#keep(segment, batch, bytes)
      else this.#refuse(batch, error)
      if (this.#queue.callbacks.length > 0) this.#flush()
    })
  }

  #keep(segment: Segment, batch: Queue, bytes: number): void {
    segment.keep(bytes)
    this.#problem = undefined
    this.#parts.changed(segment, bytes)
    if (segment.size >= this.#parts.segmentBytes) this.#finish()
    this.#settle(batch)
  }

  #refuse(batch: Queue, cause: unknown): void {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    if (this.#problem === undefined)
      this.#parts.log.error({ err: error }, 'audit: the spool cannot be written')
    this.#problem = error
    this.#segment?.undo()
    if (this.#segment?.isFinished) this.#finish()
    this.#settle(batch, new GatewayError('audit.unavailable', { internal: error.message, cause }))
  }

  #finish(): void {
    const segment = this.#segment
    if (segment === undefined) return
    this.#segment = undefined
    segment.finish()
    if (segment.size === 0) segment.discard()
    else this.#parts.changed(segment, 0)
  }

  #settle({ callbacks }: Queue, error?: Error): void {
    for (const written of callbacks) {
      try {
        written(error)
      } catch (cause) {
        // One caller's mistake must not leave the others of this turn without an answer.
        this.#parts.log.error({ err: cause }, 'audit: a caller failed after its event was written')
      }
    }
  }
}
