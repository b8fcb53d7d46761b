import { GatewayError } from '../../foundation/errors.ts'
import { version } from '../../foundation/version.ts'
import { type Collected, collect } from '../collect.ts'
import { gatewayItself } from '../equipped.ts'
import { sendOver } from '../late-flight.ts'
import type { SessionLink, StatelessLink } from '../link.ts'
import type { Era } from '../upstream.ts'
import { Channel } from './channel.ts'
import { openChannelSession } from './channel-session.ts'
import type { Deadlines } from './deadlines.ts'
import type { AnswerLimits } from './http-answer.ts'
import { ownRequest } from './http-session.ts'
import type { ProcessEnd, Processes, ProcessSpec, ServerProcess } from './process.ts'
import type { Restarts } from './restarts.ts'

export type StdioParts = {
  readonly spec: ProcessSpec
  readonly era: Era
  /** What the process is told its client can do; nothing when it is shared, for nobody can be asked through it. */
  readonly capabilities: unknown
  readonly asksBack: boolean
  readonly idleSeconds: number
  /** Throws when the command may not be started: what its name means may have changed since it was registered. */
  checkCommand(): void
  readonly processes: Processes
  readonly restarts: Restarts
  readonly limits: AnswerLimits
  readonly deadlines: Deadlines
  listChanged(): void
  /** It has stopped for want of use; nothing of it needs to be remembered. */
  idled(): void
}

type Running = {
  readonly process: ServerProcess
  readonly channel: Channel
  readonly opening: Promise<Collected | undefined>
}

/** Why a process is gone, with its last words: for those who manage the server, not for those who use it. */
export class ProcessFailure extends Error {
  readonly end: ProcessEnd

  constructor(end: ProcessEnd) {
    super(end.why)
    this.end = end
  }
}

/** How long a caller is kept waiting for a restart before being told of it. */
const patienceMs = 2000

const clientName = { name: 'gatehouse', title: 'Gatehouse', version }

/** One process of a stdio server: started when first needed, restarted with back-off, stopped when idle. */
export class StdioServer {
  readonly #parts: StdioParts
  readonly #idle: NodeJS.Timeout
  #running: Running | undefined
  #failure: GatewayError | undefined
  #usedAt = performance.now()
  #closed = false

  constructor(parts: StdioParts) {
    this.#parts = parts
    this.#idle = setInterval(() => this.#stopIfIdle(), Math.min(parts.idleSeconds * 500, 30_000))
    this.#idle.unref()
  }

  async openSession(caller: string, lost: () => void): Promise<SessionLink> {
    const running = await this.#use(caller)
    const opening = await running.opening
    if (opening === undefined) throw new GatewayError('mcp.era_unsupported')
    return openChannelSession({
      channel: running.channel,
      opening,
      sharedHandshake: true,
      asksBack: this.#parts.asksBack,
      send: body => running.process.send(body),
      lost,
      left: () => this.#touch(),
    })
  }

  async openStateless(caller: string): Promise<StatelessLink> {
    const { channel } = await this.#use(caller)
    return {
      request: outgoing => {
        // What is sent again after the process crashed goes to the next.
        if (this.#running?.channel === channel) return channel.request(outgoing)
        const { deadlines, limits } = this.#parts
        const way = this.#use(caller).then(running => running.channel)
        return sendOver(way, outgoing, { deadlines, callSeconds: limits.callSeconds })
      },
    }
  }

  /** Ends the process if nobody uses it; what is known of its failures stays. */
  rest(): void {
    const running = this.#running
    if (!running?.channel.isIdle) return
    this.#running = undefined
    // Ends in the `ended` event, which finds it no longer current.
    void running.process.stop()
  }

  stderrTail(): readonly string[] {
    return this.#running?.process.stderrTail() ?? []
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#idle)
    await this.#running?.process.stop()
  }

  #touch(): void {
    this.#usedAt = performance.now()
  }

  async #use(caller: string): Promise<Running> {
    const running = await this.#ready()
    if (caller !== gatewayItself.id) running.channel.usedBy(caller)
    return running
  }

  async #ready(): Promise<Running> {
    this.#touch()
    this.#checkOpen()
    if (this.#running) return this.#running
    await this.#waitForTurn()
    this.#checkOpen()
    this.#running ??= this.#start()
    return this.#running
  }

  #checkOpen(): void {
    if (this.#closed)
      throw new GatewayError('upstream.process_failed', {
        why: 'The server was changed or removed meanwhile.',
      })
  }

  // A short pause after a crash is waited out, so that the next caller need not notice it; a long one is told.
  async #waitForTurn(): Promise<void> {
    const waitMs = this.#parts.restarts.waitMs()
    if (waitMs > patienceMs) {
      const why = this.#failure?.why ?? 'It failed several times.'
      throw new GatewayError('upstream.process_failed', {
        why: `${why} The next start is tried in ${Math.ceil(waitMs / 1000)} s.`,
        cause: this.#failure?.cause,
      })
    }
    if (waitMs > 0) await new Promise(done => setTimeout(done, waitMs))
  }

  #start(): Running {
    const { processes, restarts, spec, limits, deadlines, asksBack } = this.#parts
    this.#parts.checkCommand()
    restarts.starting()
    const process = processes.start(spec, {
      line: line => channel.receive(line),
      ended: end => this.#ended(running, end),
    })
    const channel = new Channel({
      send: message => process.send(message),
      asksBack,
      limits,
      deadlines,
      listChanged: () => this.#parts.listChanged(),
    })
    const running: Running = { process, channel, opening: this.#handshake(process, channel) }
    // A process that does not shake hands is of no use; whoever waits for the opening hears why.
    running.opening.catch(() => process.stop())
    return running
  }

  #ended(running: Running, end: ProcessEnd): void {
    const wasCurrent = this.#running === running
    if (wasCurrent) this.#running = undefined
    const error = new GatewayError('upstream.process_failed', {
      why: 'Its process ended.',
      internal: end.why,
      cause: new ProcessFailure(end),
    })
    if (wasCurrent && !this.#closed) {
      this.#failure = error
      this.#parts.restarts.failed()
    }
    running.channel.ended(error)
  }

  async #handshake(process: ServerProcess, channel: Channel): Promise<Collected | undefined> {
    if (this.#parts.era === 'stateless') return undefined
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: this.#parts.capabilities ?? {},
      clientInfo: clientName,
    }
    const { body, upstreamId } = ownRequest('initialize', params)
    const opening = await collect(String(upstreamId), sink =>
      channel.request({ body, upstreamId, method: 'initialize', params, sink, mirrored: [], endless: false }),
    )
    if (opening.body.error !== undefined)
      throw new GatewayError('upstream.bad_answer', { why: 'It refused initialize.' })
    process.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
    return opening
  }

  #stopIfIdle(): void {
    const running = this.#running
    if (running?.channel.isIdle === false) return this.#touch()
    if (performance.now() - this.#usedAt < this.#parts.idleSeconds * 1000) return
    this.#running = undefined
    // Ends in the `ended` event, which finds it no longer current.
    void running?.process.stop()
    this.#parts.idled()
  }
}
