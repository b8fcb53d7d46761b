/** Everything the bench starts is written down here, and ended by its own id however the bench ends. */
import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { descendantsOf } from './proc.ts'

const started = new Set<ChildProcess>()
const directories: string[] = []

/** Has the child ended with everything else. */
export function remember(child: ChildProcess): ChildProcess {
  started.add(child)
  child.once('exit', () => started.delete(child))
  return child
}

export const start = (command: string, args: readonly string[], options: SpawnOptions): ChildProcess =>
  remember(spawn(command, args, options))

/** Starts a file of the bench; it ends by itself when this process is gone. */
export const startOwn = (file: string, args: readonly string[] = []): ChildProcess =>
  // The advanced serialization keeps NaN, which a window without calls is full of.
  remember(fork(fileURLToPath(new URL(file, import.meta.url)), args, { serialization: 'advanced' }))

/** What the child says next; rejects when it ends before it said anything. */
export function nextMessage<Message>(child: ChildProcess): Promise<Message> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown) => {
      child.off('exit', onExit)
      resolve(message as Message)
    }
    const onExit = (code: number | null, signal: string | null) => {
      child.off('message', onMessage)
      reject(new Error(`${child.spawnargs.slice(0, 2).join(' ')} ended (${code ?? signal})`))
    }
    child.once('message', onMessage)
    child.once('exit', onExit)
  })
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
  directories.push(directory)
  return directory
}

const signal = (pid: number, name: NodeJS.Signals) => {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function end(child: ChildProcess): Promise<void> {
  const tree = child.pid === undefined ? [] : descendantsOf(child.pid)
  const exited = once(child, 'exit')
  for (const pid of tree) signal(pid, 'SIGTERM')
  const isLate = await Promise.race([exited.then(() => false), sleep(5000, true, { ref: false })])
  if (isLate) for (const pid of tree) signal(pid, 'SIGKILL')
}

export async function endAll(): Promise<void> {
  await Promise.all([...started].map(end))
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
}

/** Ends everything also when the bench itself is interrupted. */
export function endOnSignals(): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(name, () => void endAll().finally(() => process.exit(1)))
}
