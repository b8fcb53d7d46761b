/** One session of a client with several servers: each gets a session of its own when something is first asked of it. */
import { asGatewayError, fail } from '../foundation/errors.ts'
import { applyPatches, type JsonObject, spanAt } from '../foundation/json.ts'
import type { Principal } from '../identity/index.ts'
import type { ComposedServer, Served } from '../servers/index.ts'
import {
  type Collected,
  type Equipped,
  type Flight,
  latestSessionVersion,
  nextUpstreamId,
  type Outgoing,
  type SessionLink,
  type Sink,
  sessionVersions,
  type Unsolicited,
} from '../upstreams/index.ts'
import { composedCapabilities, serverInfo } from './composed-answers.ts'
import { type CorrectParts, openInEra } from './correct.ts'
import { followLists, type NewsParts, tellLists } from './list-news.ts'
import { decode, encoded } from './source-ids.ts'

export type ComposedParts = Omit<CorrectParts, 'metrics' | 'callSeconds'> & NewsParts

type Opening = {
  /** One of several; or a single one, which is opened once its caller has an account there. */
  readonly server: Greeting
  readonly principal: Principal
  readonly params: JsonObject
  readonly clientId: string
}

type Greeting = Served & Partial<Pick<ComposedServer, 'instructions'>>

const initialized = Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}')

export class ComposedSession implements SessionLink {
  readonly opening: Collected
  readonly #parts: ComposedParts
  readonly #opening: Opening
  /** By the id of the source. */
  readonly #links = new Map<string, Promise<SessionLink>>()
  /** What they were opened with. */
  readonly #equipped = new Map<string, Equipped>()
  /** The source of each request under way. */
  readonly #pending = new Map<number, string>()
  /** What is listened to: the stream of the client, and those of the sources. */
  #listening: { readonly to: Unsolicited; readonly flights: Map<string, Flight>; stop(): void } | undefined
  #level: unknown
  #isClosed = false

  constructor(parts: ComposedParts, opening: Opening) {
    this.#parts = parts
    this.#opening = opening
    this.opening = greeting(opening)
  }

  request(outgoing: Outgoing): Flight {
    const { to, sink, upstreamId } = outgoing
    if (to === undefined) return fail('internal.unexpected', { internal: 'a request for no source' })
    const sourceId = to.upstream.id
    let flight: Flight | undefined
    let isOver = false
    const over = () => void this.#pending.delete(upstreamId)
    const waiting: Flight = {
      pause: () => flight?.pause(),
      resume: () => flight?.resume(),
      abort: () => {
        isOver = true
        over()
        flight?.abort()
      },
    }
    this.#pending.set(upstreamId, sourceId)
    sink.started(waiting)
    this.#link(to).then(
      link => {
        if (isOver) return
        flight = link.request({ ...outgoing, sink: fromSource(sink, { sourceId, over, waiting }) })
      },
      error => {
        over()
        if (!isOver) sink.failed(asGatewayError(error))
      },
    )
    return waiting
  }

  /** What the client last asked to be told; sources that are opened later are told it too. */
  setLevel(level: unknown): void {
    this.#level = level
    for (const link of this.#links.values())
      link.then(
        opened => tellLevel(opened, level),
        () => undefined,
      )
  }

  // What a client says of itself every server of its may know; anything else is an answer, and has its own way.
  async notify(method: string, body: Buffer): Promise<void> {
    if (method === 'notifications/initialized' || method === 'notifications/progress') return
    await Promise.all([...this.#links.values()].map(async link => (await link).notify(method, body)))
  }

  async respond(id: string | number, body: Buffer): Promise<boolean> {
    const found = decode(id)
    // A source that could not be opened has asked nothing; its own request says why.
    const link = found && (await this.#links.get(found.sourceId)?.catch(() => undefined))
    const span = spanAt(body, ['id'])
    if (found === undefined || link === undefined || span === undefined) return false
    return link.respond(found.id, applyPatches(body, [{ span, text: JSON.stringify(found.id) }]))
  }

  cancel(upstreamId: number, reason: string | undefined): void {
    const sourceId = this.#pending.get(upstreamId)
    this.#pending.delete(upstreamId)
    const link = sourceId === undefined ? undefined : this.#links.get(sourceId)
    link?.then(
      opened => opened.cancel(upstreamId, reason),
      () => undefined,
    )
  }

  listen(to: Unsolicited): Flight {
    const { stop } = followLists(this.#parts, this.#opening, () => tellLists(to))
    const listening = { to, flights: new Map<string, Flight>(), stop }
    this.#listening = listening
    for (const [sourceId, link] of this.#links)
      link.then(
        opened => this.#listenTo(sourceId, opened),
        () => undefined,
      )
    const each = (act: (flight: Flight) => void) => () => {
      for (const flight of listening.flights.values()) act(flight)
    }
    return {
      pause: each(flight => flight.pause()),
      resume: each(flight => flight.resume()),
      abort: () => {
        stop()
        each(flight => flight.abort())()
        if (this.#listening === listening) this.#listening = undefined
      },
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#listening?.stop()
    const links = [...this.#links.values()]
    this.#links.clear()
    await Promise.all(
      links.map(link =>
        link.then(
          opened => opened.close(),
          () => undefined,
        ),
      ),
    )
  }

  #link(to: Equipped): Promise<SessionLink> {
    const sourceId = to.upstream.id
    const known = this.#links.get(sourceId)
    if (known !== undefined) {
      this.#equipped.get(sourceId)?.follow(to)
      return known
    }
    const opener = to.apart()
    this.#equipped.set(sourceId, opener)
    const opening = this.#open(opener, () => this.#forget(sourceId, opening))
    this.#links.set(sourceId, opening)
    opening.catch(() => this.#forget(sourceId, opening))
    return opening
  }

  #forget(sourceId: string, link: Promise<SessionLink>): void {
    if (this.#links.get(sourceId) === link) this.#links.delete(sourceId)
    this.#listening?.flights.delete(sourceId)
  }

  async #open(to: Equipped, lost: () => void): Promise<SessionLink> {
    const { params, clientId } = this.#opening
    const upstreamId = nextUpstreamId()
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: upstreamId, method: 'initialize', params }))
    const link = await openInEra(this.#parts, to, { upstreamId, body, params, clientId, lost })
    if (this.#isClosed || link.opening.body.error !== undefined) {
      await link.close()
      fail('upstream.bad_answer', { why: 'It refused to open a session.' })
    }
    await link.notify('notifications/initialized', initialized)
    if (this.#level !== undefined) tellLevel(link, this.#level)
    this.#listenTo(to.upstream.id, link)
    return link
  }

  #listenTo(sourceId: string, link: SessionLink): void {
    const listening = this.#listening
    if (listening === undefined || listening.flights.has(sourceId)) return
    const { to, flights } = listening
    const flight = link.listen(
      {
        message: (bytes, message) => {
          // What is listed here is composed; that it changed is told once the gateway has read it.
          if (!String(message.method).endsWith('/list_changed'))
            to.message(encoded(bytes, message, sourceId), message)
        },
        priming: () => undefined,
        answer: (bytes, answer) => to.answer(bytes, answer),
        ended: () => void flights.delete(sourceId),
      },
      undefined,
    )
    flights.set(sourceId, flight)
  }
}

function greeting({ server, params }: Opening): Collected {
  const asked = String(params.protocolVersion)
  const result = {
    protocolVersion: sessionVersions.some(each => each === asked) ? asked : latestSessionVersion,
    capabilities: composedCapabilities,
    serverInfo: serverInfo(server),
    ...(server.instructions === undefined ? {} : { instructions: server.instructions }),
  }
  const body = { jsonrpc: '2.0', id: 0, result }
  return { body, status: 200, bytes: Buffer.from(JSON.stringify(body)) }
}

function tellLevel(link: SessionLink, level: unknown): void {
  const upstreamId = nextUpstreamId()
  const params = { level }
  const request = { jsonrpc: '2.0', id: upstreamId, method: 'logging/setLevel', params }
  const nothing = () => undefined
  link.request({
    body: Buffer.from(JSON.stringify(request)),
    upstreamId,
    method: request.method,
    params,
    mirrored: [],
    endless: false,
    sink: {
      clientId: String(upstreamId),
      whole: true,
      started: nothing,
      streaming: nothing,
      message: nothing,
      priming: nothing,
      answer: nothing,
      piece: nothing,
      finished: nothing,
      failed: nothing,
    },
  })
}

type Source = { readonly sourceId: string; readonly waiting: Flight; over(): void }

/** The sink of a request, for whom servers' questions have ids that say which server asked. */
function fromSource(sink: Sink, { sourceId, over }: Source): Sink {
  return {
    clientId: sink.clientId,
    whole: sink.whole,
    ...(sink.edits === undefined ? {} : { edits: sink.edits }),
    ...(sink.mayPass === undefined ? {} : { mayPass: start => sink.mayPass?.(start) ?? true }),
    started: flight => sink.started(flight),
    streaming: () => sink.streaming(),
    message: (bytes, message, eventId) => sink.message(encoded(bytes, message, sourceId), message, eventId),
    priming: (eventId, retry) => sink.priming(eventId, retry),
    piece: bytes => sink.piece(bytes),
    answer: (bytes, answer, status) => {
      over()
      sink.answer(bytes, answer, status)
    },
    finished: summary => {
      over()
      sink.finished(summary)
    },
    failed: error => {
      over()
      sink.failed(error)
    },
  }
}
