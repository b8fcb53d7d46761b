/** A server that answers as if it spoke another era than was thought, or had other tools: that is found out again, once, and the request goes the right way. */

import { asGatewayError, GatewayError } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import {
  type Asker,
  anew,
  type Catalogue,
  type Connections,
  type Crossings,
  type Equipped,
  type Opening,
  type SessionLink,
} from '../upstreams/index.ts'
import { checkMirroredArguments } from './classify.ts'
import { askerOf } from './exchange.ts'
import { send } from './forward.ts'
import type { Reply, Way } from './reply.ts'

/** An answer that refuses a request as a whole, as it came. */
export type Refusal = {
  readonly bytes: Buffer
  readonly answer: JsonObject
  readonly status: number
  /** What the client is told, where the answer itself did not name the request. */
  readonly failure?: GatewayError
}

/** True: the answer is not given to the client; what comes of it is. */
export type Correct = (reply: Reply, refusal: Refusal) => boolean

export type CorrectParts = {
  readonly catalogue: Catalogue
  readonly connections: Connections
  readonly crossings: Crossings
  readonly metrics: Metrics
  readonly callSeconds: number
}

type Mistake = 'era' | 'version' | 'headers'

const codes = { headers: -32020, version: -32022, method: -32601, request: -32600, legacy: -32000 } as const

// 401, 403 and 5xx never come here: they are no answers. -32021 is about the client, and the client's to hear.
function mistakeOf({ answer, status }: Refusal, method: string): Mistake | undefined {
  const code = isObject(answer.error) ? answer.error.code : undefined
  if (code === codes.headers) return 'headers'
  if (code === codes.version) return 'version'
  if (code === codes.method) return method === 'server/discover' ? 'era' : undefined
  return status === 400 && (code === codes.legacy || code === codes.request) ? 'era' : undefined
}

// What these say is about the gateway's own request, and nothing a client could act on.
const sentences: Readonly<Partial<Record<Mistake, string>>> = {
  headers: 'It finds that headers and body differ, although they do not.',
  version: 'It does not speak the revision it speaks.',
}

/** Opens the correction of requests of the stateless era. */
export function openCorrect(parts: CorrectParts): Correct {
  return (reply, refusal) => {
    const { outgoing, equipped } = reply
    const mistake = outgoing && mistakeOf(refusal, outgoing.method)
    if (mistake === undefined || equipped === undefined || reply.exchange.era !== 'stateless') return false
    const isFirst = !reply.wasCorrected
    reply.wasCorrected = true
    // Looked into already, and no mistake: then it is the answer.
    if (!isFirst && (refusal.failure || sentences[mistake] === undefined)) return false
    const way = isFirst ? findWay(parts, { reply, equipped, mistake }) : Promise.resolve(undefined)
    way.then(
      found => goOn(parts, reply, { way: found, mistake, refusal }),
      error => reply.failed(asGatewayError(error)),
    )
    return true
  }
}

/** Where the request is to be sent now; undefined when all is as it was. */
async function findWay(
  { catalogue, connections, crossings }: CorrectParts,
  { reply, equipped, mistake }: { reply: Reply; equipped: Equipped; mistake: Mistake },
): Promise<Way | undefined> {
  const { upstream } = equipped
  const { exchange } = reply
  const asker = exchange.principal && askerOf(exchange, exchange.principal)
  if (mistake !== 'headers') {
    const eras = await catalogue.relearnEras(upstream, asker)
    return eras.includes('stateless') ? undefined : crossings.stateless(equipped)
  }
  await catalogue.reread(upstream, asker)
  const { params } = reply.outgoing ?? {}
  const mirrored = catalogue.mirroredArguments(upstream.id, String(params?.name))
  // By the schema as it is now the client may be wrong: then this says so.
  checkMirroredArguments(exchange.request.headers, params?.arguments, mirrored)
  return connections.stateless(equipped)
}

function goOn(
  { metrics, callSeconds }: CorrectParts,
  reply: Reply,
  { way, mistake, refusal }: { way: Way | undefined; mistake: Mistake; refusal: Refusal },
): void {
  const { outgoing } = reply
  if (reply.isOver || outgoing === undefined) return
  if (way !== undefined) {
    metrics.repeated(outgoing.method)
    const latest = performance.now() + callSeconds * 1000 - reply.exchange.elapsed
    return send(way, anew(outgoing, latest), reply)
  }
  const why = sentences[mistake]
  if (refusal.failure) reply.failed(refusal.failure)
  else if (why === undefined) reply.answer(refusal.bytes, refusal.answer, refusal.status)
  else reply.failed(new GatewayError('upstream.bad_answer', { why }))
}

/** Opens a session; where the server turns out not to speak that era any more, over the other. */
export async function openInEra(
  { catalogue, connections, crossings }: Omit<CorrectParts, 'metrics' | 'callSeconds'>,
  to: Equipped,
  { asker, ...opening }: Opening & { readonly asker?: Asker | undefined },
): Promise<SessionLink> {
  const { upstream } = to
  const eras = catalogue.eras(upstream.id) ?? (await catalogue.learnEras(upstream, asker))
  if (!eras.includes('session')) return crossings.openSession(to, opening)
  const link = await connections.openSession(to, opening)
  const { error } = link.opening.body
  const code = isObject(error) ? error.code : undefined
  if (code !== codes.version && code !== codes.method && code !== codes.headers) return link
  const now = await catalogue.relearnEras(upstream, asker)
  if (now.includes('session')) return link
  await link.close()
  return crossings.openSession(to, opening)
}
