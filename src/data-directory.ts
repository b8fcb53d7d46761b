/** The data directory as one process holds it: made for its owner only, locked while a gateway runs on it. */
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail } from './foundation/errors.ts'

/** Where the gateway of a data directory listens for commands of its own machine. */
export function socketPathOf(dataDir: string): string {
  if (process.platform !== 'win32') return join(dataDir, 'gatehouse.sock')
  const name = createHash('sha256').update(dataDir.toLowerCase()).digest('hex').slice(0, 16)
  return `\\\\.\\pipe\\gatehouse-${name}`
}

/** Does a gateway answer on the socket of this data directory? */
export function isAnswering(socketPath: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(socketPath)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

export type Lock = { release(): void }

/**
 * Takes the data directory for this process. The lock is the operating system's, held through SQLite, so it ends with the
 * process however that ends; a file with a process id would outlive a kill and mistake a reused id for a gateway.
 * Waits a little for a command that is just ending. Throws `config.in_use`.
 */
export async function lockDataDirectory(dataDir: string, waitSeconds = 5): Promise<Lock> {
  makeDirectory(dataDir)
  const until = performance.now() + waitSeconds * 1000
  for (;;) {
    const lock = tryLock(join(dataDir, 'gateway.lock'))
    if (lock !== undefined) return lock
    if (performance.now() >= until) fail('config.in_use', { why: `Another process holds ${dataDir}.` })
    await sleep(100)
  }
}

function makeDirectory(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  } catch (cause) {
    fail('config.invalid', {
      why: `The data directory ${dataDir} cannot be made.`,
      fix: 'Correct --data-dir or GATEHOUSE_DATA_DIR, or who may write there.',
      cause,
    })
  }
}

const busy = 5 // SQLITE_BUSY

function tryLock(path: string): Lock | undefined {
  const file = new DatabaseSync(path)
  try {
    file.exec('pragma journal_mode = memory; begin exclusive')
    chmodSync(path, 0o600)
    return { release: () => file.close() }
  } catch (thrown) {
    file.close()
    if (thrown instanceof Error && 'errcode' in thrown && thrown.errcode === busy) return undefined
    throw thrown
  }
}
