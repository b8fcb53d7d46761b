import type { Log } from '../foundation/log.ts'
import type { Backlog } from './backlog.ts'
import type { Batch } from './spool.ts'

type Parts = {
  readonly backlog: Backlog
  readonly insert: (batch: Batch) => Promise<void>
  readonly log: Log
}

const soonMilliseconds = 250
const longestBackOffMilliseconds = 4000

const nextTurn = () => new Promise(resolve => setImmediate(resolve))

/** Moves the backlog into the database, a piece at a time. What fails stays where it is and is tried again. */
export class Shipper {
  readonly #parts: Parts
  #timer: NodeJS.Timeout | undefined
  #shipping: Promise<void> | undefined
  #failures = 0
  #problem: string | undefined
  #isRunning = false
  #isClosed = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Why the last attempt failed; undefined when it did not. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Something waits: it is shipped soon, or at once when it is time. */
  notice(isTime: boolean): void {
    if (isTime && this.#failures === 0) this.#run()
    else this.#schedule()
  }

  /** Resolves when everything that waits now is in the database; rejects when the database does not take it. */
  async flush(): Promise<void> {
    const isWaiting = this.#parts.backlog.seal()
    try {
      while (isWaiting()) await this.#ship()
      this.#recovered()
    } catch (cause) {
      this.#failed(cause)
      throw cause
    }
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  readonly #run = async (): Promise<void> => {
    if (this.#isClosed || this.#isRunning) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#isRunning = true
    // `flush` has noted a failure; all that is left to do about it is the next attempt.
    await this.flush().catch(() => undefined)
    this.#isRunning = false
    if (this.#parts.backlog.waitingBytes > 0) this.#schedule()
  }

  #schedule(): void {
    if (this.#isClosed || this.#isRunning || this.#timer !== undefined) return
    this.#timer = setTimeout(this.#run, this.#delay()).unref()
  }

  #delay(): number {
    if (this.#failures === 0) return soonMilliseconds
    const longest = Math.min(soonMilliseconds * 2 ** this.#failures, longestBackOffMilliseconds)
    return longest * (0.5 + Math.random() / 2)
  }

  /** One piece at a time, whoever asks. */
  #ship(): Promise<void> {
    this.#shipping ??= this.#shipPiece().finally(() => {
      this.#shipping = undefined
    })
    return this.#shipping
  }

  async #shipPiece(): Promise<void> {
    const piece = await this.#parts.backlog.next()
    if (piece === undefined) return
    if (piece.lines.length > 0) await this.#parts.insert(piece)
    piece.done()
    // Callers are served between two pieces.
    await nextTurn()
  }

  #recovered(): void {
    if (this.#failures > 0) this.#parts.log.info('audit: the database takes events again')
    this.#failures = 0
    this.#problem = undefined
  }

  #failed(cause: unknown): void {
    this.#problem = cause instanceof Error ? cause.message : String(cause)
    if (this.#failures++ > 0) return
    this.#parts.log.warn({ err: cause }, 'audit: events wait in the spool: the database does not take them')
  }
}
