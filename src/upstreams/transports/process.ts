/** The child processes of the gateway: how many, where, with what environment, and that none outlives it. */
import { mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fail } from '../../foundation/errors.ts'
import { newHandle } from '../../foundation/id.ts'
import type { Log } from '../../foundation/log.ts'
import { type Environment, processEnvironment, searchPath } from './process-environment.ts'
import { openReaper, type Reaper } from './reaper.ts'
import { type ProcessEvents, type ProcessSpec, type ServerProcess, startServer } from './server-process.ts'

export type { ProcessEnd } from './process-end.ts'
export type { ProcessEvents, ProcessSpec, ServerProcess } from './server-process.ts'

export type ProcessOptions = {
  /** How many may run at once; one counts until nothing of it runs any more. */
  readonly maximum: number
  readonly dataDir: string
  /** The longest line a process may write to stdout. */
  readonly lineBytes: number
  /** The gateway's own environment. Children get a short list out of it. */
  readonly environment: Environment
  readonly log: Log
}

export type Processes = {
  /**
   * Starts a process. Throws upstream.too_many_processes at the cap, upstream.process_failed when no attempt could be
   * made; a command that cannot be run is told by `events.ended`.
   */
  start(spec: ProcessSpec, events: ProcessEvents): ServerProcess
  running(): number
  /** Stops all of them, and what keeps watch over them. */
  close(): Promise<void>
}

export function openProcesses(options: ProcessOptions): Processes {
  const { maximum, lineBytes, environment, log } = options
  const instance = newHandle()
  const home = resolve(options.dataDir, 'processes', instance)
  const live = new Set<ServerProcess>()
  let started = 0
  let reaper: Reaper | undefined
  let closing: Promise<void> | undefined

  function start(spec: ProcessSpec, events: ProcessEvents): ServerProcess {
    if (closing) fail('upstream.process_failed', { why: 'The gateway is stopping.' })
    if (live.size >= maximum) fail('upstream.too_many_processes', { why: `${live.size} of ${maximum} run.` })
    reaper ??= openReaper({ mark: instance, directory: home, path: searchPath(environment), log })
    const id = String(++started)
    const mark = `${instance}.${id}`
    const directory = join(home, id)
    if (spec.cwd === undefined) makeDirectory(directory)
    const server = startServer(spec, {
      environment: processEnvironment(environment, spec.env, mark),
      cwd: spec.cwd ?? directory,
      mark,
      lineBytes,
      log,
      events,
      started: reaper.add,
      released: gone => release(gone, directory),
    })
    live.add(server)
    return server
  }

  async function release(server: ServerProcess, directory: string): Promise<void> {
    if (server.pid !== undefined) reaper?.remove(server.pid)
    live.delete(server)
    await removeDirectory(directory, log)
  }

  async function stopAll(): Promise<void> {
    await Promise.all([...live].map(server => server.stop()))
    await reaper?.close()
    await removeDirectory(home, log)
  }

  return {
    start,
    running: () => live.size,
    close() {
      closing ??= stopAll()
      return closing
    },
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    fail('upstream.process_failed', { why: 'Its private directory could not be made.', cause })
  }
}

async function removeDirectory(path: string, log: Log): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch((error: unknown) =>
    log.warn({ error, path }, 'a private directory could not be removed'),
  )
}
