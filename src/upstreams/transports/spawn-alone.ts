/** Starts a child in a session and group of its own that inherits no open file, whatever the gateway was started with. */
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync, readdirSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'

type Pipes = readonly ['pipe', 'pipe' | 'ignore', 'pipe' | 'ignore']

export type Alone = {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly stdio: Pipes
}

/** Throws what `spawn` throws; that a command cannot be run is an `error` event of the child. */
export function spawnAlone(
  command: string,
  args: readonly string[],
  { cwd, env, stdio }: Alone,
): ChildProcess {
  covers ??= coversOfInheritableFiles()
  return spawn(command, args, { cwd, env, detached: true, windowsHide: true, stdio: [...stdio, ...covers] })
}

// What the child gets as its files from the third on. Node opens every file so that no child inherits it, and marks the
// first few it was started with. Those beyond, such as the one a shell holds a lock with, it overlooks. It cannot close
// them in the child only, but it can put another file in their place. There are never more of them than at the start.
let covers: readonly ('ignore' | number)[] | undefined

function coversOfInheritableFiles(): readonly ('ignore' | number)[] {
  const files = inheritableFiles()
  if (files.length === 0) return []
  const nothing = openSync(devNull, 'r+')
  return Array.from({ length: Math.max(...files) - 2 }, (_, i) =>
    files.includes(i + 3) ? nothing : 'ignore',
  )
}

function inheritableFiles(): readonly number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter(file => file > 2 && isInheritable(file))
}

const closeOnExec = 0o2000000

function isInheritable(file: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${file}`, 'latin1'))?.[1]
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0
  } catch {
    // It was open only to list the others.
    return false
  }
}
