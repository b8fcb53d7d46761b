/** A session of a session-era client over an upstream that speaks only the stateless era: what the session is made of stays here. */
import { fail, GatewayError } from '../../foundation/errors.ts'
import { isObject, type JsonObject } from '../../foundation/json.ts'
import { type Collected, collect } from '../collect.ts'
import type { Opening } from '../connections.ts'
import type { Equipped } from '../equipped.ts'
import type { Outgoing, SessionLink, StatelessLink, Unsolicited } from '../link.ts'
import { badAnswer } from '../message.ts'
import { latestStatelessVersion } from '../revisions.ts'
import type { Flight, Sink } from '../sink.ts'
import { canAnswer } from './client-face.ts'
import type { CrossingParts } from './crossings.ts'
import { isLogLevel } from './log-level.ts'
import { Asks } from './session-over-stateless-asks.ts'
import { SessionCall } from './session-over-stateless-call.ts'
import { greeting } from './session-over-stateless-dress.ts'
import { envelope, enveloped } from './session-over-stateless-envelope.ts'
import { errorInSessionDress } from './session-over-stateless-errors.ts'
import { mirroredHeaders } from './session-over-stateless-headers.ts'
import { Listening } from './session-over-stateless-listen.ts'
import { offeredLists, Subscriptions } from './session-over-stateless-subscriptions.ts'
import { wayUp } from './session-over-stateless-way.ts'

/** What the client said of itself when it opened the session, as far as the other era has it. */
type Client = { readonly capabilities: JsonObject; readonly clientInfo: unknown }

const discover = 'server/discover'

/** Asks the upstream who it is, and opens a session that exists only here. Check `opening.body.error`. */
export async function openSessionOverStateless(
  parts: CrossingParts,
  to: Equipped,
  opening: Opening,
): Promise<SessionLink> {
  const client = clientOf(opening.params)
  const link = wayUp(parts.connections, to)
  const { upstreamId, clientId, params } = opening
  const body = enveloped(
    Buffer.from(`{"jsonrpc":"2.0","id":0,"method":"${discover}"}`),
    {},
    { upstreamId, meta: envelope(client), more: {} },
  )
  const mirrored = mirroredHeaders(discover, {})
  const discovered = await collect(clientId, sink =>
    link.request({ body, upstreamId, method: discover, params: {}, sink, mirrored, endless: false }),
  )
  const answer = opened(discovered, { requested: params.protocolVersion, serverName: to.upstream.name })
  return new CrossedSession({ parts, to, link, client, opening: answer })
}

function clientOf({ capabilities, clientInfo }: JsonObject): Client {
  const { roots, ...declared } = isObject(capabilities) ? capabilities : {}
  // Changes of roots are not told in the stateless era.
  const { listChanged: _, ...plain } = isObject(roots) ? roots : {}
  return { clientInfo, capabilities: isObject(roots) ? { ...declared, roots: plain } : declared }
}

function opened(
  { bytes, body, status }: Collected,
  to: { readonly requested: unknown; readonly serverName: string },
): Collected {
  const { error, result } = body
  if (isObject(error)) {
    const dressed = errorInSessionDress(bytes, error, discover)
    if (dressed instanceof GatewayError) throw dressed
    return { bytes: dressed, body, status: 200 }
  }
  if (!isObject(result) || !Array.isArray(result.supportedVersions))
    throw badAnswer('It does not say what it speaks.')
  if (!result.supportedVersions.includes(latestStatelessVersion))
    fail('mcp.era_unsupported', { why: 'This server speaks no revision that the gateway speaks.' })
  const greeted = greeting(bytes, result, to)
  return { bytes: greeted, body: JSON.parse(greeted.toString()), status }
}

type CrossedSessionParts = {
  readonly parts: CrossingParts
  readonly to: Equipped
  readonly link: StatelessLink
  readonly client: Client
  readonly opening: Collected
}

class CrossedSession implements SessionLink {
  readonly opening: Collected
  readonly #parts: CrossedSessionParts
  readonly #calls = new Map<number, SessionCall>()
  readonly #asks = new Asks()
  readonly #subscriptions: Subscriptions
  #logLevel: string | undefined
  #isClosed = false

  constructor(parts: CrossedSessionParts) {
    this.#parts = parts
    this.opening = parts.opening
    const { link, client } = parts
    const { limits } = parts.parts
    const { result } = parts.opening.body
    const listening = { link, meta: envelope(client), patienceMs: limits.callSeconds * 1000 }
    this.#subscriptions = new Subscriptions({
      offered: offeredLists(isObject(result) ? result.capabilities : undefined),
      listening: (filter, events) => new Listening(listening, filter, events),
    })
  }

  request(outgoing: Outgoing): Flight {
    if (this.#isClosed) fail('mcp.session_unknown')
    switch (outgoing.method) {
      case 'logging/setLevel':
        return this.#setLevel(outgoing)
      case 'resources/subscribe':
        return this.#subscribe(outgoing)
      case 'resources/unsubscribe':
        this.#subscriptions.unsubscribe(uriOf(outgoing.params))
        return answerEmpty(outgoing.sink)
      default:
        return this.#call(outgoing)
    }
  }

  // Of what a client may notify, the stateless era has nothing: cancellation has its own verb here.
  async notify(): Promise<void> {}

  async respond(id: string | number, body: Buffer): Promise<boolean> {
    return this.#asks.answer(id, body)
  }

  cancel(upstreamId: number): void {
    this.#calls.get(upstreamId)?.abort()
  }

  listen(to: Unsolicited): Flight {
    return this.#subscriptions.listen(to)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#subscriptions.close()
    for (const call of [...this.#calls.values()]) call.abort()
  }

  #call(outgoing: Outgoing): Flight {
    const { parts, to, link, client } = this.#parts
    const { upstreamId, method, params } = outgoing
    const serverId = to.upstream.id
    const call = new SessionCall(
      {
        link,
        asks: this.#asks,
        limits: parts.limits,
        meta: envelope(client, this.#logLevel),
        canAnswer: (asked, about) => canAnswer(client, asked, about),
        mirrored: () => {
          const known = method === 'tools/call' ? parts.mirroredArguments(serverId, String(params.name)) : []
          return mirroredHeaders(method, params, known)
        },
        schemaChanged: () => parts.announcements.announce({ topic: 'catalogue.changed', serverId }),
        ended: () => void this.#calls.delete(upstreamId),
      },
      outgoing,
    )
    this.#calls.set(upstreamId, call)
    call.open()
    return call
  }

  #setLevel({ params, sink }: Outgoing): Flight {
    if (!isLogLevel(params.level))
      fail('mcp.invalid_params', { why: 'The parameter level must be a severity of RFC 5424.' })
    this.#logLevel = params.level
    return answerEmpty(sink)
  }

  #subscribe({ params, sink }: Outgoing): Flight {
    let isOver = false
    const forget = this.#subscriptions.subscribe(uriOf(params), error => {
      if (isOver) return
      isOver = true
      if (error) sink.failed(error)
      else answerEmpty(sink)
    })
    const flight = {
      ...still,
      abort: () => {
        isOver = true
        forget()
      },
    }
    if (!isOver) sink.started(flight)
    return flight
  }
}

function uriOf({ uri }: JsonObject): string {
  return typeof uri === 'string'
    ? uri
    : fail('mcp.invalid_params', { why: 'The parameter uri must be a string.' })
}

const still: Flight = { pause: () => {}, resume: () => {}, abort: () => {} }

function answerEmpty(sink: Sink): Flight {
  const bytes = Buffer.from(`{"jsonrpc":"2.0","id":${sink.clientId},"result":{}}`)
  sink.answer(bytes, { jsonrpc: '2.0', result: {} }, 200)
  return still
}
