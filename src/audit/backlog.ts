/** What is in the spool and not yet in the database, oldest first; a bounded part of it in memory, the rest on disk. */
import type { Log } from '../foundation/log.ts'
import { readBack } from './read-back.ts'
import type { Stored } from './segment.ts'
import type { Batch } from './spool.ts'

/** Consecutive lines of one spool file. `held` has them in memory; without it they are read back when their turn comes. */
type Stretch = {
  readonly segment: Stored
  start: number
  end: number
  readonly held: Batch | undefined
  /** Somebody counts on its end: it grows no more. */
  isSealed: boolean
}

/** The next events to ship. `done` says that they are in the database. */
export type Piece = Batch & { done(): void }

export type Bounds = {
  /** How many events go to the database in one statement; a single batch may bring more. */
  readonly pieceEvents: number
  /** The same in bytes, and how much of a file is read at once. */
  readonly pieceBytes: number
  /** How much waits in memory; what comes beyond it is read back from disk. */
  readonly memoryBytes: number
}

export class Backlog {
  readonly #bounds: Bounds
  readonly #log: Log
  readonly #stretches: Stretch[] = []
  #heldBytes = 0
  #waitingBytes = 0

  constructor(bounds: Bounds, log: Log) {
    this.#bounds = bounds
    this.#log = log
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Takes a batch that was just written at the end of the segment. Returns whether it is time to ship. */
  add(segment: Stored, bytes: number, { events, lines }: Batch): boolean {
    const hasRoom = this.#heldBytes + bytes <= this.#bounds.memoryBytes
    const tail = this.#growing(segment, hasRoom) ?? this.#begin(segment, segment.size - bytes, hasRoom)
    tail.end += bytes
    this.#waitingBytes += bytes
    if (tail.held === undefined) return true
    this.#heldBytes += bytes
    for (const event of events) tail.held.events.push(event)
    for (const line of lines) tail.held.lines.push(line)
    return this.#isFull(tail)
  }

  /** Takes a whole file of an earlier run. */
  adopt(segment: Stored): void {
    if (segment.size > 0) this.#begin(segment, 0, false).end = segment.size
    this.#waitingBytes += segment.size
    this.finished(segment)
  }

  /** Nothing will be added to the segment: its file goes as soon as nothing of it waits. */
  finished(segment: Stored): void {
    if (segment.isFinished && !this.#stretches.some(stretch => stretch.segment === segment)) segment.discard()
  }

  async next(): Promise<Piece | undefined> {
    const stretch = this.#stretches[0]
    if (stretch === undefined) return undefined
    stretch.isSealed = true
    const { held, start, end, segment } = stretch
    if (held !== undefined) return { ...held, done: () => this.#advance(stretch, end) }
    const read = await readBack({
      path: segment.path,
      start,
      end,
      bytes: this.#bounds.pieceBytes,
      log: this.#log,
    })
    return { ...read, done: () => this.#advance(stretch, read.end) }
  }

  /** Returns what tells whether anything that waits now still does. */
  seal(): () => boolean {
    const tail = this.#stretches.at(-1)
    if (tail === undefined) return () => false
    tail.isSealed = true
    return () => this.#stretches.includes(tail)
  }

  #isFull({ start, end, held }: Stretch): boolean {
    const { pieceEvents, pieceBytes } = this.#bounds
    return held !== undefined && (held.lines.length >= pieceEvents || end - start >= pieceBytes)
  }

  /** The last stretch, if more may join it. One that is not held grows until its turn, so that few large reads follow. */
  #growing(segment: Stored, hasRoom: boolean): Stretch | undefined {
    const tail = this.#stretches.at(-1)
    if (tail === undefined || tail.isSealed || tail.segment !== segment || this.#isFull(tail))
      return undefined
    return tail.held === undefined || hasRoom ? tail : undefined
  }

  #begin(segment: Stored, start: number, isHeld: boolean): Stretch {
    const held = isHeld ? { events: [], lines: [] } : undefined
    const stretch = { segment, start, end: start, held, isSealed: false }
    this.#stretches.push(stretch)
    return stretch
  }

  #advance(stretch: Stretch, end: number): void {
    const bytes = end - stretch.start
    this.#waitingBytes -= bytes
    if (stretch.held !== undefined) this.#heldBytes -= bytes
    stretch.start = end
    if (end < stretch.end) return
    this.#stretches.shift()
    this.finished(stretch.segment)
  }
}
