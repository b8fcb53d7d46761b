/** A process group and, where /proc tells (Linux), the descendants that left it: found by the mark in their environment. */
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 25
const killAttempts = 5

/** The variable that marks everything a gateway starts. */
export const markName = 'GATEHOUSE_PROCESS'

type ProcessGroup = { readonly leader: number; readonly mark: string }

/**
 * Asks all of it to end (SIGTERM), and forces what is left after `patienceMs` (SIGKILL). Resolves as soon as nothing of
 * it runs any more; false when something could not be ended at all.
 */
export async function endProcessGroup(group: ProcessGroup, patienceMs: number): Promise<boolean> {
  if (await isGone(group)) return true
  await signal(group, 'SIGTERM')
  if (await isGoneWithin(group, patienceMs)) return true
  // Again, for what was forked while we looked.
  for (let i = 0; i < killAttempts; i++) {
    await signal(group, 'SIGKILL')
    if (await isGoneWithin(group, patienceMs)) return true
  }
  return false
}

async function isGoneWithin(group: ProcessGroup, ms: number): Promise<boolean> {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(pollMs)) {
    if (await isGone(group)) return true
  }
  return false
}

// Zombies do not run: whoever inherited them may never collect them.
async function isGone({ leader, mark }: ProcessGroup): Promise<boolean> {
  if (send(target(leader), 0) && !(await isOnlyZombies(leader))) return false
  return (await strays({ leader, mark })).length === 0
}

async function signal(group: ProcessGroup, name: NodeJS.Signals): Promise<void> {
  send(target(group.leader), name)
  for (const pid of await strays(group)) send(pid, name)
}

// Windows has no groups: there only the leader itself is reached.
function target(leader: number): number {
  return process.platform === 'win32' ? leader : -leader
}

/** False when there is nobody to get the signal. */
function send(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, signal)
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

async function strays({ leader, mark }: ProcessGroup): Promise<number[]> {
  const entry = `${markName}=${mark}\0`
  const found: number[] = []
  for (const pid of await allProcesses()) {
    const environment = await read(`/proc/${pid}/environ`)
    if (environment.includes(entry) && (await status(pid)).group !== leader) found.push(pid)
  }
  return found
}

async function isOnlyZombies(group: number): Promise<boolean> {
  if (process.platform !== 'linux') return false
  for (const pid of await allProcesses()) {
    const its = await status(pid)
    if (its.group === group && its.state !== 'Z' && its.state !== 'X') return false
  }
  return true
}

async function status(pid: number): Promise<{ state: string | undefined; group: number }> {
  const stat = await read(`/proc/${pid}/stat`)
  // proc_pid_stat(5): pid (name) state parent group ...; the name may hold anything, even parentheses.
  const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state, group: Number(group) }
}

async function allProcesses(): Promise<number[]> {
  if (process.platform !== 'linux') return []
  return (await readdir('/proc')).map(Number).filter(Number.isInteger)
}

// Processes end while we look, and those of others are not for us to read: both are none of ours.
function read(path: string): Promise<string> {
  return readFile(path, 'latin1').catch(() => '')
}
