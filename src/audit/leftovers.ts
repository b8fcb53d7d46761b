import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../foundation/log.ts'
import { type Lock, tryLock } from './lock.ts'
import { remove } from './segment.ts'

/** `<run>.lock`, which a living run holds, and its segments `<start time>-<run>.ndjson`. */
const spoolFile = /^(?:\d+-)?([0-9a-z]+)\.(?:lock|ndjson)$/

const runOf = (name: string) => spoolFile.exec(name)?.[1]

/** Whether the spool holds anything of another run, living or not. */
export function hasOtherRuns(directory: string, run: string): boolean {
  try {
    return readdirSync(directory).some(name => ![run, undefined].includes(runOf(name)))
  } catch {
    // Whoever looks closer will say why the spool cannot be read.
    return true
  }
}

/** A whole file of a run that ended. */
export type Leftover = { readonly path: string; readonly size: number; discard(): void }

type Parts = {
  readonly directory: string
  /** The one that is not left. */
  readonly run: string
  readonly accept: (leftover: Leftover) => void
  readonly log: Log
}

/** What runs that ended, well or not, left in the spool. */
export class Leftovers {
  readonly #parts: Parts
  // Each held until the last segment of its run is in the database, so that no other process takes over the same.
  readonly #locks = new Set<Lock>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Takes over what runs that ended have left. What a living run writes is left alone. */
  adopt(): void {
    const { directory, log } = this.#parts
    try {
      const runs = Map.groupBy(readdirSync(directory).sort(), runOf)
      for (const [run, names] of runs) {
        if (run !== undefined && run !== this.#parts.run) this.#adoptRun(run, names)
      }
    } catch (cause) {
      log.error({ err: cause, directory }, 'audit: the spool of earlier runs cannot be read')
    }
  }

  /** Leaves what is not shipped to the next start. */
  close(): void {
    for (const lock of this.#locks) this.#release(lock)
  }

  #adoptRun(run: string, names: readonly string[]): void {
    const { directory, accept, log } = this.#parts
    const lock = tryLock(join(directory, `${run}.lock`))
    if (lock === undefined) return
    this.#locks.add(lock)
    const paths = names.filter(name => name.endsWith('.ndjson')).map(name => join(directory, name))
    const waiting = new Set(paths)
    if (waiting.size === 0) this.#release(lock)
    for (const path of paths) {
      const discard = () => {
        remove(path, log)
        if (waiting.delete(path) && waiting.size === 0) this.#release(lock)
      }
      accept({ path, size: statSync(path).size, discard })
    }
  }

  #release(lock: Lock): void {
    if (this.#locks.delete(lock)) lock.release()
  }
}
