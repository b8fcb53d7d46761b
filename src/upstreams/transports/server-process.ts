/** One running server: its streams, and its end - which is the end of everything it started. */
import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { fail } from '../../foundation/errors.ts'
import type { Log } from '../../foundation/log.ts'
import { onOneLine, openLines } from './lines.ts'
import { type EndFacts, explainEnd, type ProcessEnd } from './process-end.ts'
import { endProcessGroup } from './process-group.ts'
import { openRedaction } from './redact.ts'
import { spawnAlone } from './spawn-alone.ts'
import { openStderrTail, type StderrTail } from './stderr-tail.ts'

export type ProcessSpec = {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Where it runs; a private, empty directory unless given. */
  readonly cwd?: string | undefined
}

export type ProcessEvents = {
  /** One line of stdout without its newline, whatever its bytes. A view: copy it to keep it long. */
  line(line: Buffer): void
  /** It is gone or of no use any more. Called exactly once, after the last line, never from within `start` or `send`. */
  ended(end: ProcessEnd): void
}

export type ServerProcess = {
  /** Undefined when it could not be started; `ended` then says why. */
  readonly pid: number | undefined
  /**
   * Writes one JSON text and a newline; line breaks within become spaces, which JSON does not tell apart. Without effect
   * after the end. More than 16 MiB that the process has not read end it. False: it was certainly not written.
   */
  send(line: Buffer | string): boolean
  /** Closes its stdin, then asks, then forces everything it started to end; resolves when all of it is gone, in 2 s. */
  stop(): Promise<void>
  /** Its last lines on stderr, redacted. */
  stderrTail(): readonly string[]
}

/** What `openProcesses` gives each process besides its spec. */
export type Surroundings = {
  readonly environment: Readonly<Record<string, string>>
  readonly cwd: string
  readonly mark: string
  readonly lineBytes: number
  readonly log: Log
  readonly events: ProcessEvents
  /** Called within `startServer`, as soon as there is a process. */
  started(pid: number): void
  /** Called when nothing of it runs any more, before `stop` resolves. */
  released(server: ServerProcess): Promise<void>
}

// Three stages - stdin closed, SIGTERM, SIGKILL - that leave nothing 2 s after the first.
const stageMs = 900
// How long an exited process's last words may be under way.
const drainMs = 250
const queuedBytes = 16 * 1024 * 1024

/** Throws upstream.process_failed when not even an attempt could be made. */
export function startServer(spec: ProcessSpec, around: Surroundings): ServerProcess {
  return new Server(spec, around, spawnServer(spec, around))
}

type Spawned = {
  readonly child: ChildProcess
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
}

function spawnServer(spec: ProcessSpec, around: Surroundings): Spawned {
  const child = attempt(spec, around)
  const { stdin, stdout, stderr } = child
  if (stdin && stdout && stderr) return { child, stdin, stdout, stderr }
  child.once('error', () => undefined)
  return fail('upstream.process_failed', { why: 'The gateway has no file descriptors left.' })
}

function attempt({ command, args }: ProcessSpec, { cwd, environment }: Surroundings): ChildProcess {
  try {
    return spawnAlone(command, args, { cwd, env: environment, stdio: ['pipe', 'pipe', 'pipe'] })
  } catch (cause) {
    return fail('upstream.process_failed', { why: 'The system refused to start this command.', cause })
  }
}

class Server implements ServerProcess {
  readonly pid: number | undefined
  readonly #spec: ProcessSpec
  readonly #around: Surroundings
  readonly #streams: Spawned
  readonly #tail: StderrTail
  readonly #exited = Promise.withResolvers<void>()
  readonly #closed = Promise.withResolvers<void>()
  #ending: Promise<void> | undefined
  #facts: EndFacts = { kind: 'exited', exitCode: null, signal: null }
  #isTold = false

  constructor(spec: ProcessSpec, around: Surroundings, streams: Spawned) {
    this.pid = streams.child.pid
    this.#spec = spec
    this.#around = around
    this.#streams = streams
    this.#tail = openStderrTail(openRedaction(Object.values(spec.env)))
    if (this.pid !== undefined) around.started(this.pid)
    this.#followProcess()
    this.#followStreams()
  }

  send(line: Buffer | string): boolean {
    const { stdin } = this.#streams
    if (this.#isTold || this.#ending !== undefined || !stdin.writable) return false
    if (stdin.writableLength > queuedBytes) {
      this.#abandon('not-reading')
      return false
    }
    stdin.cork()
    stdin.write(onOneLine(line))
    stdin.write('\n')
    stdin.uncork()
    return true
  }

  stop(): Promise<void> {
    return this.#end('stopped')
  }

  stderrTail(): readonly string[] {
    return this.#tail.lines()
  }

  #followProcess(): void {
    const { child } = this.#streams
    child.once('exit', (exitCode, signal) => this.#gone({ exitCode, signal }))
    child.once('error', error => this.#gone({ kind: 'not-started', error }))
    child.once('close', () => this.#closed.resolve())
  }

  #followStreams(): void {
    const { stdin, stdout, stderr } = this.#streams
    const line = (bytes: Buffer) => {
      if (!this.#isTold) this.#around.events.line(bytes)
    }
    const tooLong = () => this.#abandon('line-too-long')
    stdout.on('data', openLines(this.#around.lineBytes, { line, tooLong }))
    stderr.on('data', this.#tail.take)
    for (const stream of [stdin, stdout]) stream.once('close', () => this.#end('pipe-closed'))
    // An error closes the stream, and that is what counts.
    for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined)
  }

  /** The process itself is gone; what it started may not be. */
  #gone(facts: Partial<EndFacts>): void {
    this.#facts = { ...this.#facts, ...facts }
    this.#exited.resolve()
    void this.#end(this.#facts.kind)
    void this.#tellWhenDrained()
  }

  /** It may run, but it is of no use any more. */
  #abandon(kind: ProcessEnd['kind']): void {
    void this.#end(kind)
    this.#streams.stdin.destroy()
    this.#streams.stdout.destroy()
    this.#tell()
  }

  #end(kind: ProcessEnd['kind']): Promise<void> {
    this.#ending ??= this.#endAll(kind)
    return this.#ending
  }

  async #endAll(kind: ProcessEnd['kind']): Promise<void> {
    const { stdin, stdout, stderr } = this.#streams
    // Whoever crashes closes the pipes a moment before: that is an exit. Only who lives on after it closed them.
    if (kind !== 'pipe-closed') this.#facts = { ...this.#facts, kind }
    stdin.end()
    if (!(await within(stageMs, this.#exited.promise))) this.#facts = { ...this.#facts, kind }
    if (this.pid !== undefined) await this.#endGroup(this.pid)
    await this.#tellWhenDrained()
    for (const stream of [stdin, stdout, stderr]) stream.destroy()
    await this.#around.released(this)
  }

  async #endGroup(leader: number): Promise<void> {
    const isGone = await endProcessGroup({ leader, mark: this.#around.mark }, stageMs)
    if (!isGone) this.#around.log.error({ group: leader }, 'a process of this group cannot be killed')
  }

  async #tellWhenDrained(): Promise<void> {
    await within(drainMs, this.#closed.promise)
    this.#tell()
  }

  #tell(): void {
    if (this.#isTold) return
    this.#isTold = true
    const { kind, exitCode, signal } = this.#facts
    const { cwd, environment, lineBytes, events } = this.#around
    const attempt = { command: this.#spec.command, cwd, path: environment.PATH ?? '', lineBytes }
    const why = explainEnd(this.#facts, attempt)
    const end: ProcessEnd = { kind, why, exitCode, signal, stderr: this.#tail.lines() }
    queueMicrotask(() => events.ended(end))
  }
}

/** Whether it came to be in time. */
async function within(ms: number, promise: Promise<void>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(resolve, ms, false)
  return await Promise.race([promise.then(() => true), late]).finally(() => clearTimeout(timer))
}
