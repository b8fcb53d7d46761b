import { chmodSync, existsSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

export type Lock = { release(): void }

const busy = 5

/**
 * Holds a file until released or dead; undefined when another process holds it. It is SQLite's lock on an empty
 * database: the kernel ends it however the process ends, and unlike a process id it cannot be taken for another's.
 */
export function tryLock(path: string): Lock | undefined {
  const file = new DatabaseSync(path)
  try {
    file.exec('pragma journal_mode = memory; begin exclusive')
  } catch (error) {
    file.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === busy) return undefined
    throw error
  }
  // Whoever held it before may have removed the file between our opening and locking it; then we hold nothing.
  if (!existsSync(path)) {
    file.close()
    return undefined
  }
  chmodSync(path, 0o600)
  return {
    release() {
      rmSync(path, { force: true })
      if (file.isOpen) file.close()
    },
  }
}
