import { Worker } from 'node:worker_threads'
import { type DatabaseOptions, openAppender } from '../database/index.ts'
import type { Log } from '../foundation/log.ts'
import { hasOtherRuns } from './leftovers.ts'
import type { Segment } from './segment.ts'
import { type Progress, Shipping, type Told } from './ship.ts'
import { auditTarget } from './table.ts'

/** What the thread works on. */
export type Place = {
  readonly directory: string
  readonly run: string
  readonly pieceBytes: number
  readonly database: DatabaseOptions
}

export type Order = {
  readonly files: readonly Told[]
  /** Bytes written in this run, so that a report can say what it knew of. */
  readonly written: number
  /** Look for what ended runs have left. */
  readonly adopt: boolean
  readonly want: 'soon' | 'flush' | 'close'
  readonly id: number
}

export type Answer =
  | ({ readonly is: 'progress'; readonly written: number } & Progress)
  | { readonly is: 'done'; readonly id: number; readonly problem: string | undefined }
  | {
      readonly is: 'log'
      readonly level: keyof Log
      readonly bindings: object
      readonly text: string
    }

type Ask = { resolve(): void; reject(error: Error): void }

// Many events, one message.
const tellMilliseconds = 100
// A command that is over sooner needs no thread.
const startMilliseconds = 1000
const adoptMilliseconds = 60_000
const megabytes = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 }

/**
 * Has a thread of its own ship what the spool holds, so that no commit makes a caller wait. It hears only how far files are
 * written, and reads them itself; when it dies, the next one begins anew, which stores nothing twice.
 */
export class Shipper {
  readonly #place: Place
  readonly #log: Log
  /** Files that are not gone yet. */
  readonly #files = new Map<string, Segment>()
  readonly #changed = new Set<Segment>()
  readonly #asks = new Map<number, Ask>()
  readonly #adopting: NodeJS.Timeout
  #worker: Worker | undefined
  #timer: NodeJS.Timeout | undefined
  #written = 0
  #reported = { waitingBytes: 0, written: 0 }
  #problem: string | undefined
  #adopts = false
  #lastId = 0
  #isClosed = false

  constructor(place: Place, log: Log) {
    this.#place = place
    this.#log = log
    this.#adopting = setInterval(() => this.#adopt(), adoptMilliseconds).unref()
    this.#adopt()
  }

  /** Why the last attempt failed; undefined when it did not. */
  get problem(): string | undefined {
    return this.#problem
  }

  get waitingBytes(): number {
    return this.#reported.waitingBytes + this.#written - this.#reported.written
  }

  /** The segment grew by these bytes, or is finished. */
  notice(segment: Segment, bytes: number): void {
    this.#written += bytes
    this.#changed.add(segment)
    this.#schedule()
  }

  /** Resolves when everything written so far is in the database; rejects when the database does not take it. */
  flush(): Promise<void> {
    if (!this.#hasWork()) return Promise.resolve()
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#asks.set(id, { resolve, reject })
      this.#post('flush').ref()
    })
  }

  /** Ships what waits; what the database does not take stays in the spool for the next start. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#adopting)
    clearTimeout(this.#timer)
    if (this.#worker !== undefined) await this.#endThread()
    else if (this.#hasWork()) await this.#shipHere()
  }

  #hasWork(): boolean {
    return this.#worker !== undefined || this.#adopts || this.#changed.size > 0
  }

  #adopt(): void {
    if (!hasOtherRuns(this.#place.directory, this.#place.run)) return
    this.#adopts = true
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isClosed || this.#timer !== undefined) return
    const milliseconds = this.#worker === undefined ? startMilliseconds : tellMilliseconds
    this.#timer = setTimeout(() => this.#post('soon'), milliseconds).unref()
  }

  #post(want: Order['want']): Worker {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#worker ??= this.#start()
    const order: Order = { ...this.#news(), want, id: this.#lastId }
    this.#worker.postMessage(order)
    return this.#worker
  }

  #news(): Pick<Order, 'files' | 'written' | 'adopt'> {
    const files = [...this.#changed].map(({ path, size, isFinished }) => ({ path, size, isFinished }))
    for (const segment of this.#changed) this.#files.set(segment.path, segment)
    this.#changed.clear()
    const adopt = this.#adopts
    this.#adopts = false
    return { files, written: this.#written, adopt }
  }

  #start(): Worker {
    const worker = new Worker(new URL('./shipping-thread.ts', import.meta.url), {
      name: 'audit',
      workerData: this.#place,
      resourceLimits: megabytes,
    })
    worker.on('message', (answer: Answer) => this.#hear(answer))
    worker.on('error', cause => {
      this.#problem = `The thread that ships stopped: ${cause instanceof Error ? cause.message : String(cause)}`
      this.#log.error({ err: cause }, 'audit: the thread that ships stopped')
    })
    worker.on('exit', () => this.#ended())
    worker.unref()
    return worker
  }

  #hear(answer: Answer): void {
    switch (answer.is) {
      case 'progress':
        this.#reported = answer
        this.#problem = answer.problem
        for (const path of answer.gone) this.#files.delete(path)
        return
      case 'done':
        return this.#settle(answer.id, answer.problem)
      case 'log':
        return this.#log[answer.level](answer.bindings, answer.text)
    }
  }

  #settle(id: number, problem: string | undefined): void {
    const ask = this.#asks.get(id)
    this.#asks.delete(id)
    if (this.#asks.size === 0) this.#worker?.unref()
    if (problem === undefined) ask?.resolve()
    else ask?.reject(new Error(problem))
  }

  /** What the thread knew is lost with it, and told the next one. */
  #ended(): void {
    this.#worker = undefined
    for (const id of [...this.#asks.keys()])
      this.#settle(id, this.#problem ?? 'The thread that ships stopped.')
    for (const segment of this.#files.values()) this.#changed.add(segment)
    this.#adopts = hasOtherRuns(this.#place.directory, this.#place.run)
    if (this.#hasWork()) this.#schedule()
  }

  #endThread(): Promise<void> {
    return new Promise(resolve => {
      const worker = this.#post('close')
      worker.ref()
      worker.once('exit', () => resolve())
    })
  }

  async #shipHere(): Promise<void> {
    const { database, ...place } = this.#place
    const open = () => openAppender(database, auditTarget)
    const shipping = new Shipping({ ...place, open, report: () => undefined, log: this.#log })
    const { files, adopt } = this.#news()
    shipping.tell(files)
    if (adopt) shipping.adopt()
    await shipping.close()
  }
}
