import { closeSync, fdatasync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import type { Log } from '../foundation/log.ts'

/** The file being written. Only whole acknowledged lines count toward its size; what a failed write leaves is cut off. */
export class Segment {
  readonly path: string
  readonly #log: Log
  #file: number | undefined
  #size = 0

  constructor(path: string, log: Log) {
    this.path = path
    this.#log = log
    this.#file = openSync(path, 'ax', 0o600)
  }

  /** Bytes of whole lines in it. */
  get size(): number {
    return this.#size
  }

  /** Nothing will be added to it. */
  get isFinished(): boolean {
    return this.#file === undefined
  }

  /** Writes whole lines and returns their bytes, which count once they are kept. Throws when not all could be written. */
  append(lines: string): number {
    const bytes = Buffer.byteLength(lines)
    const written = writeSync(this.#open(), lines)
    if (written !== bytes) throw new Error(`Only ${written} of ${bytes} bytes could be written.`)
    return bytes
  }

  sync(done: (error: Error | null) => void): void {
    fdatasync(this.#open(), done)
  }

  keep(bytes: number): void {
    this.#size += bytes
  }

  /** Cuts off what was appended and not kept; a file that cannot be cut is finished, and its torn end is never read. */
  undo(): void {
    try {
      ftruncateSync(this.#open(), this.#size)
    } catch (cause) {
      this.#log.warn({ err: cause, path: this.path }, 'audit: a spool file is given up after a failed write')
      this.finish()
    }
  }

  finish(): void {
    const file = this.#file
    this.#file = undefined
    if (file === undefined) return
    try {
      closeSync(file)
    } catch (cause) {
      this.#log.warn({ err: cause, path: this.path }, 'audit: a spool file did not close')
    }
  }

  discard(): void {
    remove(this.path, this.#log)
  }

  #open(): number {
    if (this.#file === undefined) throw new Error('The spool file is finished.')
    return this.#file
  }
}

/** Removes a spool file. One that stays is no loss: the next start ships it again, which changes nothing. */
export function remove(path: string, log: Log): void {
  try {
    rmSync(path, { force: true })
  } catch (cause) {
    log.warn({ err: cause, path }, 'audit: a spool file that is in the database could not be removed')
  }
}
