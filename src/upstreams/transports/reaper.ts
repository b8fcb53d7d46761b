/** Keeps a watchdog beside the gateway: a small shell that ends what the gateway started when the gateway is killed. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../foundation/clock.ts'
import type { Log } from '../../foundation/log.ts'
import { openRestarts } from './restarts.ts'
import { spawnAlone } from './spawn-alone.ts'

const script = fileURLToPath(new URL('./reaper.sh', import.meta.url))

export type Reaper = {
  /** A process group was started. The watchdog knows it when this returns. */
  add(group: number): void
  /** A process group is gone. */
  remove(group: number): void
  /** Ends the watchdog, which ends whatever is left. */
  close(): Promise<void>
}

type Options = {
  /** Begins the value of GATEHOUSE_PROCESS in the environment of everything it watches over. */
  readonly mark: string
  /** Removed, with all that is in it, when the gateway is gone. */
  readonly directory: string
  /** Where the shell finds grep, sleep and rm. */
  readonly path: string
  readonly log: Log
}

const nobody: Reaper = { add: () => undefined, remove: () => undefined, close: async () => undefined }

/** Starts the watchdog. Windows has neither process groups nor /bin/sh: there nobody watches. */
export function openReaper(options: Options): Reaper {
  if (process.platform === 'win32') return nobody
  const groups = new Set<number>()
  const restarts = openRestarts(systemClock)
  let shell: ChildProcess | undefined
  let isClosed = false

  function start(): void {
    if (isClosed) return
    restarts.starting()
    const started = spawnWatchdog(options)
    started.once('error', () => startAgain(started))
    started.once('close', () => startAgain(started))
    shell = started
    for (const group of groups) tell(`+${group}`)
  }

  function startAgain(ended: ChildProcess): void {
    if (isClosed || ended !== shell) return
    shell = undefined
    restarts.failed()
    options.log.warn('the watchdog of the server processes ended; it will be started again')
    setTimeout(start, restarts.waitMs()).unref()
  }

  // On an empty pipe libuv writes at once, before this returns; the lines are far too few to fill it.
  function tell(line: string): void {
    shell?.stdin?.write(`${line}\n`)
  }

  start()
  return {
    add(group) {
      groups.add(group)
      tell(`+${group}`)
    },
    remove(group) {
      if (groups.delete(group)) tell(`-${group}`)
    },
    async close() {
      isClosed = true
      const last = shell
      shell = undefined
      if (last) await endOf(last)
    },
  }
}

// In a session of its own, so that the terminal's Ctrl-C does not reach it, and never a reason for the gateway to stay.
function spawnWatchdog({ mark, directory, path }: Options): ChildProcess {
  const shell = spawnAlone('/bin/sh', [script, mark, directory], {
    cwd: '/',
    env: { PATH: `${path}:/usr/bin:/bin` },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  // A broken pipe means that the shell is gone, which its own events tell.
  shell.stdin?.on('error', () => undefined)
  shell.unref()
  return shell
}

async function endOf(shell: ChildProcess): Promise<void> {
  const closed = once(shell, 'close')
  shell.ref()
  shell.stdin?.end()
  await closed
}
