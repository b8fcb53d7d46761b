/** The gateway as a client of its upstreams: to learn what they speak and what they offer. */
import { fail, GatewayError } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { version } from '../foundation/version.ts'
import { type Collected, collect } from './collect.ts'
import type { Connections } from './connections.ts'
import type { Equipped } from './equipped.ts'
import type { Outgoing, SessionLink } from './link.ts'
import { badAnswer, errorCode, nextUpstreamId } from './message.ts'
import type { Flight, Sink } from './sink.ts'
import type { Era } from './upstream.ts'

const clientName = { name: 'gatehouse', title: 'Gatehouse', version }

// Everything is declared, because some servers list more tools to clients that can do more. Nothing is ever asked back: calls are never made here.
const capabilities = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } }

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': clientName,
  'io.modelcontextprotocol/clientCapabilities': capabilities,
}

/** An upstream opened in one era, for the gateway's own questions. */
export type OwnClient = {
  readonly era: Era
  /** The InitializeResult or DiscoverResult. */
  readonly greeting: JsonObject
  /** Sends a request; a JSON-RPC error of the upstream is thrown as `upstream.bad_answer`. */
  ask(method: string, params: JsonObject): Promise<Collected>
  close(): Promise<void>
}

/** Opens an upstream in an era. Throws `upstream.*`; `mcp.era_unsupported` when it is there but does not speak the era. */
export function openOwnClient(
  connections: Connections,
  to: Equipped,
  era: Era,
  seconds: number,
): Promise<OwnClient> {
  return era === 'stateless' ? openStateless(connections, to, seconds) : openSession(connections, to, seconds)
}

/** Like `collect`, but gives up after the time and tells the upstream so. */
function collectWithin(seconds: number, clientId: string, send: (sink: Sink) => Flight): Promise<Collected> {
  let flight: Flight | undefined
  const answer = collect(clientId, sink => {
    flight = send(sink)
    return flight
  })
  return within(seconds, answer, () => flight?.abort())
}

async function within<T>(seconds: number, work: Promise<T>, giveUp: () => void): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    late.reject(new GatewayError('upstream.timeout', { why: `It did not answer within ${seconds} s.` }))
    giveUp()
  }, seconds * 1000)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function resultOf({ body }: Collected): JsonObject {
  if (isObject(body.result)) return body.result
  throw badAnswer(`It answered with an error (${errorCode(body.error)}).`)
}

// Codes that only servers of the stateless era use: it speaks the era, whatever it says about this request.
const statelessErrors = new Set([-32020, -32021, -32022])

async function openStateless(connections: Connections, to: Equipped, seconds: number): Promise<OwnClient> {
  const link = await connections.stateless(to)
  const send = (method: string, params: JsonObject) => {
    const upstreamId = nextUpstreamId()
    const body = Buffer.from(
      JSON.stringify({ jsonrpc: '2.0', id: upstreamId, method, params: { ...params, _meta: meta } }),
    )
    const mirrored = ['mcp-protocol-version', '2026-07-28', 'mcp-method', method]
    return collectWithin(seconds, String(upstreamId), sink =>
      link.request({ body, upstreamId, method, params, sink, mirrored, endless: false }),
    )
  }
  const greeting = await send('server/discover', {})
  const { error, result } = greeting.body
  const speaks = isObject(result)
    ? Array.isArray(result.supportedVersions)
    : isObject(error) && statelessErrors.has(Number(error.code))
  if (!speaks) fail('mcp.era_unsupported', { why: 'It does not answer server/discover.' })
  return {
    era: 'stateless',
    greeting: isObject(result) ? result : {},
    ask: async (method, params) => checked(await send(method, params)),
    close: async () => {},
  }
}

async function openSession(connections: Connections, to: Equipped, seconds: number): Promise<OwnClient> {
  const upstreamId = nextUpstreamId()
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: clientName }
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: upstreamId, method: 'initialize', params }))
  const opening = connections.openSession(to, {
    body,
    upstreamId,
    clientId: String(upstreamId),
    params,
    lost: () => {},
  })
  const link = await within(
    seconds,
    opening,
    () =>
      void opening.then(
        late => late.close(),
        () => undefined,
      ),
  )
  if (link.opening.body.error !== undefined) {
    await link.close()
    fail('mcp.era_unsupported', { why: 'It does not answer initialize.' })
  }
  return {
    era: 'session',
    greeting: await greet(link),
    ask: async (method, askParams) => checked(await askSession(link, seconds, method, askParams)),
    close: () => link.close(),
  }
}

async function greet(link: SessionLink): Promise<JsonObject> {
  try {
    const greeting = resultOf(link.opening)
    await link.notify(
      'notifications/initialized',
      Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}'),
    )
    return greeting
  } catch (error) {
    await link.close()
    throw error
  }
}

function askSession(
  link: SessionLink,
  seconds: number,
  method: string,
  params: JsonObject,
): Promise<Collected> {
  const upstreamId = nextUpstreamId()
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: upstreamId, method, params }))
  const outgoing = (sink: Sink): Outgoing => ({
    body,
    upstreamId,
    method,
    params,
    sink,
    mirrored: [],
    endless: false,
  })
  return collectWithin(seconds, String(upstreamId), sink => link.request(outgoing(sink)))
}

function checked(collected: Collected): Collected {
  resultOf(collected)
  return collected
}
