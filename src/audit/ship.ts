/** Moves what the spool holds into the database. Runs in a thread of its own, but for the last words of a short life. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Appender } from '../database/index.ts'
import type { Log } from '../foundation/log.ts'
import { Leftovers } from './leftovers.ts'
import { readBack } from './read-back.ts'
import { remove } from './segment.ts'

/** How far a spool file of this run is written. */
export type Told = {
  readonly path: string
  /** Bytes of whole lines in it. */
  readonly size: number
  /** Nothing will be added to it. */
  readonly isFinished: boolean
}

export type Progress = {
  /** Bytes that were told or found and are not in the database. */
  readonly waitingBytes: number
  /** Files that are in the database, and removed. */
  readonly gone: readonly string[]
  /** Why the last attempt failed; undefined when it did not. */
  readonly problem: string | undefined
}

type Parts = {
  readonly directory: string
  readonly run: string
  /** How much goes to the database in one transaction. */
  readonly pieceBytes: number
  readonly open: () => Promise<Appender>
  /** Hears how far it is after every attempt, before those who wait for it. */
  readonly report: (progress: Progress) => void
  readonly log: Log
}

/** A spool file and how much of it is in the database. */
type Shipped = Told & { readonly taken: number; discard(): void }

const firstBackOffMilliseconds = 250
const longestBackOffMilliseconds = 4000
// Other writers of the database get their turn between two transactions.
const breathMilliseconds = 1
const secureAttempts = 20

export class Shipping {
  readonly #parts: Parts
  readonly #leftovers: Leftovers
  readonly #files = new Map<string, Shipped>()
  #appender: Promise<Appender> | undefined
  #last: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #isClosed = false

  constructor(parts: Parts) {
    this.#parts = parts
    const accept = (file: Omit<Told, 'isFinished'> & { discard(): void }) =>
      this.#files.set(file.path, { ...file, isFinished: true, taken: 0 })
    this.#leftovers = new Leftovers({ directory: parts.directory, run: parts.run, accept, log: parts.log })
  }

  tell(files: readonly Told[]): void {
    for (const file of files) {
      const taken = this.#files.get(file.path)?.taken ?? 0
      this.#files.set(file.path, { ...file, taken, discard: () => remove(file.path, this.#parts.log) })
    }
  }

  /** Takes over what ended runs have left. */
  adopt(): void {
    this.#leftovers.adopt()
  }

  /** Ships soon: at once, unless the database refused before. */
  notice(): void {
    if (this.#isClosed || this.#timer !== undefined) return
    const run = () => {
      this.#timer = undefined
      // A failure has been noted, and is followed by another attempt.
      this.flush().catch(() => undefined)
    }
    this.#timer = setTimeout(run, this.#delay())
  }

  /** Resolves when everything that waits now is in the database; rejects when the database does not take it. */
  flush(): Promise<void> {
    const attempt = this.#last.then(() => this.#attempt())
    this.#last = attempt.catch(() => this.notice())
    return attempt
  }

  /** Ships what waits; what the database does not take now stays in the spool for the next start. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.flush().catch(() => undefined)
    this.#leftovers.close()
    await (await this.#appender?.catch(() => undefined))?.close()
  }

  #delay(): number {
    if (this.#failures === 0) return 0
    const longest = Math.min(firstBackOffMilliseconds * 2 ** this.#failures, longestBackOffMilliseconds)
    return longest * (0.5 + Math.random() / 2)
  }

  async #attempt(): Promise<void> {
    const gone: string[] = []
    let problem: string | undefined
    try {
      for (const { path, size } of [...this.#files.values()]) await this.#ship(path, size)
      await this.#discardTaken(gone)
      this.#recovered()
    } catch (cause) {
      problem = this.#failed(cause)
      throw cause
    } finally {
      this.#parts.report({ waitingBytes: this.#waitingBytes(), gone, problem })
    }
  }

  /** Brings a file into the database as far as it was written when the attempt began. */
  async #ship(path: string, goal: number): Promise<void> {
    for (;;) {
      const file = this.#files.get(path)
      if (file === undefined || file.taken >= goal) return
      const { pieceBytes: bytes, log } = this.#parts
      const { rows, end } = readBack({ path, start: file.taken, end: goal, bytes, log })
      if (rows.length > 0) await (await this.#opened()).append(rows)
      // Told anew meanwhile, perhaps: only this member is ours.
      this.#files.set(path, { ...(this.#files.get(path) ?? file), taken: end })
      await sleep(breathMilliseconds)
    }
  }

  #opened(): Promise<Appender> {
    this.#appender ??= this.#parts.open().catch(error => {
      this.#appender = undefined
      throw error
    })
    return this.#appender
  }

  async #discardTaken(gone: string[]): Promise<void> {
    const taken = [...this.#files.values()].filter(file => file.isFinished && file.taken >= file.size)
    if (taken.length === 0 || !(await this.#secured())) return
    for (const { path, discard } of taken) {
      this.#files.delete(path)
      discard()
      gone.push(path)
    }
  }

  /** What stays because a reader was in the way goes with the next attempt. */
  async #secured(): Promise<boolean> {
    const appender = await this.#opened()
    for (let attempt = 0; attempt < secureAttempts; attempt++) {
      if (await appender.secure()) return true
      await sleep(breathMilliseconds)
    }
    return false
  }

  #waitingBytes(): number {
    return [...this.#files.values()].reduce((sum, { size, taken }) => sum + Math.max(0, size - taken), 0)
  }

  #recovered(): void {
    if (this.#failures > 0) this.#parts.log.info('audit: the database takes events again')
    this.#failures = 0
  }

  #failed(cause: unknown): string {
    if (this.#failures++ === 0)
      this.#parts.log.warn({ err: cause }, 'audit: events wait in the spool: the database does not take them')
    return cause instanceof Error ? cause.message : String(cause)
  }
}
