/** What a server says to one session unasked, and which of the client's streams it goes to. */
import { isObject, type JsonObject } from '../foundation/json.ts'
import type { Principal } from '../identity/index.ts'
import type { Flight, Unsolicited } from '../upstreams/index.ts'
import type { Follow } from './follow.ts'
import { serverRequests } from './methods.ts'
import { tagged, withTasks } from './readdress.ts'
import type { KeptStream } from './replay.ts'
import type { Reply } from './reply.ts'

/** How long what is said is kept for a client whose stream broke, before the server is told that nobody listens. */
const absenceMilliseconds = 60_000

export type UnaskedOptions = {
  /** Opens the stream upstream. */
  listen(to: Unsolicited): Flight
  listChanged(): void
  /** May the client hear of this at all? */
  mayHear(principal: Principal | undefined, method: string): boolean
  /** The client's name for a task; undefined when the client is not to hear of it. */
  taskName(principal: Principal | undefined, id: unknown): string | undefined
  /** The session's own request under way that has this id upstream. */
  reply(upstreamId: unknown): Reply | undefined
}

/** One stream upstream for all streams of a session: each message goes to one of them, the latest (MCP 2025-11-25, "Multiple Connections"). */
export class Unasked implements Unsolicited {
  readonly #options: UnaskedOptions
  readonly #open: Follow[] = []
  #flight: Flight | undefined
  /** What the last stream of the client would have been given. */
  #absent: { readonly stream: KeptStream; readonly principal: Principal | undefined } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: UnaskedOptions) {
    this.#options = options
  }

  join(follow: Follow): void {
    this.#open.push(follow)
    follow.kept?.goOn()
    this.#stopWaiting()
    if (this.#flight !== undefined) return
    const flight = this.#options.listen(this)
    if (this.#open.length === 0) flight.abort()
    else this.#flight = flight
  }

  /** `isAway`: the client lost it and may come back; otherwise it was ended. */
  leave(follow: Follow, isAway: boolean): void {
    const { kept } = follow
    const at = this.#open.indexOf(follow)
    if (at >= 0) this.#open.splice(at, 1)
    if (at >= 0 && this.#open.length === 0 && isAway && kept?.isKnown && this.#flight !== undefined) {
      this.#absent = { stream: kept, principal: follow.exchange.principal }
      this.#timer = setTimeout(() => this.close(), absenceMilliseconds).unref()
      return
    }
    if (kept !== undefined && this.holder(kept) === undefined) kept.end()
    if (at >= 0 && this.#open.length === 0) this.close()
  }

  /** The stream of the client that still has this place, where it is open. */
  holder(stream: KeptStream): Follow | undefined {
    return this.#open.find(follow => follow.kept === stream)
  }

  message(bytes: Buffer, message: JsonObject): void {
    const follow = this.#open.at(-1)
    const passed = this.#passed(bytes, message, follow?.exchange.principal ?? this.#absent?.principal)
    if (passed === undefined) return
    if (follow !== undefined) follow.say(passed)
    else this.#absent?.stream.keep(passed)
  }

  // The answer to a request whose own stream upstream was cut.
  answer(bytes: Buffer, answer: JsonObject): void {
    const reply = this.#options.reply(answer.id)
    reply?.answer(tagged(bytes, ['id'], reply.clientId), answer, 200)
  }

  priming(): void {}

  ended(): void {
    this.#flight = undefined
    for (const follow of [...this.#open]) follow.end()
    this.#stopWaiting()
  }

  close(): void {
    this.#stopWaiting()
    const flight = this.#flight
    this.#flight = undefined
    flight?.abort()
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer)
    const stream = this.#absent?.stream
    this.#absent = undefined
    if (stream !== undefined && this.holder(stream) === undefined) stream.end()
  }

  #passed(bytes: Buffer, message: JsonObject, principal: Principal | undefined): Buffer | undefined {
    const method = String(message.method)
    const named = { taskName: (id: unknown) => this.#options.taskName(principal, id) }
    if (message.id !== undefined)
      return serverRequests.has(method) ? withTasks(bytes, message, named) : undefined
    if (method === 'notifications/progress') {
      const token = isObject(message.params) ? message.params.progressToken : undefined
      return this.#options.reply(token)?.readdressed(bytes, message)
    }
    if (method.endsWith('/list_changed')) this.#options.listChanged()
    return this.#options.mayHear(principal, method) ? withTasks(bytes, message, named) : undefined
  }
}
