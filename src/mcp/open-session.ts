/** Opening a session: upstream first, then here; and again, where a client has one that this process does not know. */

import { fail, GatewayError } from '../foundation/errors.ts'
import { newHandle } from '../foundation/id.ts'
import { applyPatches, isObject, type JsonObject, spanAt } from '../foundation/json.ts'
import { isComposed } from '../servers/index.ts'
import { errorCode, nextUpstreamId, type SessionLink } from '../upstreams/index.ts'
import { answerError } from './answer-error.ts'
import type { Incoming } from './classify.ts'
import { clear, mayUse } from './clear.ts'
import { ComposedSession } from './composed-session.ts'
import { canOpenUrls, isConnectNeeded } from './connect-first.ts'
import { openInEra } from './correct.ts'
import { askerOf } from './exchange.ts'
import { agreedVersion, rewriteOpening } from './lists.ts'
import type { MethodRow } from './methods.ts'
import { relayedCapabilities } from './relayed.ts'
import type { NewSession, Session, Sessions } from './sessions.ts'
import type { StatelessParts, Visit } from './stateless.ts'

export type SessionParts = StatelessParts & { readonly sessions: Sessions }

export type SessionRequest = Extract<Incoming, { kind: 'request' }>

const row: MethodRow = { eras: 'session', shape: 'call', action: 'server.use' }

/** How long the id of a session is good for opening it again. */
const lifeSeconds = 7 * 24 * 3600
/** Longer ids are too much for some proxies; such a session ends with its process. */
const maxIdLength = 2048

/** A session that has its id and its place among the caller's already, and who is told that it is open. */
export type Place = { readonly id: string; opened(session: Session): void }

/** Answers `initialize`. */
export async function initialize(
  parts: SessionParts,
  visit: Visit,
  incoming: SessionRequest,
  place?: Place,
): Promise<void> {
  const { params } = incoming
  if (typeof params.protocolVersion !== 'string')
    fail('mcp.invalid_params', { why: 'The parameter protocolVersion must be a string.' })
  const upstreamId = nextUpstreamId()
  const opening = {
    upstreamId,
    params,
    body: ({ capabilities }: JsonObject) => openingBody(visit.bytes, upstreamId, capabilities),
    isReserved: place !== undefined,
  }
  await withLink(parts, visit, opening, async ({ link, keep, isCrossed }) => {
    const { exchange } = visit
    const { error } = link.opening.body
    // Nobody will ever name a session whose id did not arrive.
    if (error !== undefined || exchange.outlet.isGone) await link.close()
    if (exchange.outlet.isGone) return exchange.record('cancelled', null, () => undefined)
    const version = agreed(visit, link, params)
    const answer = rewriteOpening(link.opening.bytes, link.opening.body, {
      clientId: exchange.clientId,
      version: askedFor(visit, params),
      isCrossed,
    })
    exchange.bytesOut = answer.length
    if (error !== undefined) return refused(visit, { error, answer })
    const id = place?.id ?? sealedId(parts, visit, { version, params })
    const session = keep({ id, link, version, canOpenUrls: canOpenUrls(params.capabilities) })
    place?.opened(session)
    exchange.record('ok', null, failure => {
      if (failure === undefined) return exchange.outlet.answer(answer, 200, ['mcp-session-id', id])
      void parts.sessions.end(id)
      answerError(exchange, new GatewayError('audit.unavailable'))
    })
  })
}

/**
 * The session of an id that this process does not know: opened again with what the client said in its `initialize`, where the id is this
 * caller's for this server. What the upstream held for it is gone: subscriptions and the log level have to be asked for again, as after
 * any loss of a session; requests that were under way are answered with `mcp.answer_gone` when their client comes back for them.
 */
export async function revive(parts: SessionParts, visit: Visit, id: string): Promise<Session> {
  const sealed = unsealed(parts, visit, id)
  if (sealed === undefined) fail('mcp.session_unknown')
  return parts.sessions.revive(id, () => reopen(parts, visit, { id, ...sealed }))
}

/** Could this caller's id be revived here? */
export function isRevivable(
  parts: SessionParts,
  visit: Pick<Visit, 'principal' | 'upstream'>,
  id: string,
): boolean {
  return unsealed(parts, visit, id) !== undefined
}

type Sealed = { readonly version: string; readonly params: JsonObject }

const initialized = Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}')

async function reopen(
  parts: SessionParts,
  visit: Visit,
  { id, version, params }: Sealed & { readonly id: string },
): Promise<Session> {
  const upstreamId = nextUpstreamId()
  const asked = { ...params, protocolVersion: version }
  const opening = {
    upstreamId,
    params: asked,
    body: (reduced: JsonObject) =>
      Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: upstreamId, method: 'initialize', params: reduced })),
    isReserved: false,
  }
  return withLink(parts, visit, opening, async ({ link, keep }) => {
    try {
      // The client has agreed on a revision, and will not be asked again.
      const isSame = link.opening.body.error === undefined && agreed(visit, link, asked) === version
      if (!isSame) fail('mcp.session_unknown')
      await link.notify('notifications/initialized', initialized)
      return keep({ id, link, version, canOpenUrls: canOpenUrls(params.capabilities) })
    } catch (error) {
      await link.close()
      throw error
    }
  })
}

type Opening = {
  readonly upstreamId: number
  /** As the client said them. */
  readonly params: JsonObject
  /** The request with what the client can do reduced to what is relayed. */
  body(reduced: JsonObject): Buffer
  readonly isReserved: boolean
}
type Keep = (session: NewSession) => Session

/** Opens a session upstream, within the bounds of the caller; what is kept of it is forgotten when the upstream loses it. */
async function withLink<Result>(
  parts: SessionParts,
  visit: Visit,
  opening: Opening,
  use: (opened: { link: SessionLink; keep: Keep; isCrossed: boolean }) => Promise<Result>,
): Promise<Result> {
  const { exchange, principal, upstream } = visit
  if (isComposed(upstream)) return withComposed(parts, { ...visit, upstream }, opening, use)
  const aim = { row, params: opening.params, upstream, principal }
  const cleared = await clear(parts, exchange, aim).catch(error => {
    // They may come in first and connect when they call something.
    if (isConnectNeeded(error)) return undefined
    throw error
  })
  if (cleared === undefined) return withComposed(parts, { ...visit, upstream }, opening, use)
  const { equipped } = cleared
  const asker = askerOf(exchange, principal)
  const eras = parts.catalogue.eras(upstream.id) ?? (await parts.catalogue.learnEras(upstream, asker))
  const isCrossed = !eras.includes('session')
  const declared = { of: 'client', era: 'session', isCrossed } as const
  const { upstreamId, params } = opening
  const capabilities = relayedCapabilities(params.capabilities, declared) ?? params.capabilities
  const reduced = { ...params, capabilities }
  const free = opening.isReserved ? undefined : parts.sessions.reserve(principal)
  const place: { session: Session | undefined } = { session: undefined }
  try {
    exchange.upstreamStarted()
    const link = await openInEra(parts, equipped, {
      upstreamId,
      body: opening.body(reduced),
      params: reduced,
      clientId: exchange.clientId,
      lost: forgetting(parts.sessions, place),
      asker,
    })
    const keep: Keep = session => {
      place.session = parts.sessions.add(principal, upstream, { ...session, equipped })
      return place.session
    }
    // What it speaks may have been found out only now.
    return await use({
      link,
      keep,
      isCrossed: !parts.catalogue.eras(upstream.id)?.includes('session'),
    })
  } finally {
    free?.()
  }
}

/** A session with several servers, of which none is asked before something is asked of it. */
async function withComposed<Result>(
  parts: SessionParts,
  { exchange, principal, upstream }: Visit,
  { params, isReserved }: Opening,
  use: (opened: { link: SessionLink; keep: Keep; isCrossed: boolean }) => Promise<Result>,
): Promise<Result> {
  if (!mayUse(parts.access, principal, upstream)) fail('access.not_found')
  const free = isReserved ? undefined : parts.sessions.reserve(principal)
  try {
    const link = new ComposedSession(parts, {
      server: upstream,
      principal,
      params,
      clientId: exchange.clientId,
    })
    return await use({
      link,
      keep: session => parts.sessions.add(principal, upstream, session),
      isCrossed: false,
    })
  } finally {
    free?.()
  }
}

// In a function of its own: it lives as long as the session, and must not keep the request that opened it.
function forgetting(sessions: Sessions, place: { readonly session: Session | undefined }): () => void {
  return () => {
    if (place.session !== undefined) sessions.forget(place.session.id)
  }
}

function openingBody(bytes: Buffer, upstreamId: number, capabilities: unknown): Buffer {
  const id = spanAt(bytes, ['id'])
  const declared = spanAt(bytes, ['params', 'capabilities'])
  return applyPatches(bytes, [
    ...(id ? [{ span: id, text: String(upstreamId) }] : []),
    ...(declared ? [{ span: declared, text: JSON.stringify(capabilities) }] : []),
  ])
}

function refused({ exchange }: Visit, { error, answer }: { error: unknown; answer: Buffer }): void {
  exchange.record('error', errorCode(error), failure => {
    if (failure) answerError(exchange, new GatewayError('audit.unavailable'))
    else exchange.outlet.answer(answer, 200)
  })
}

// A process may have been asked for a newer revision than this client speaks.
function askedFor({ upstream }: Visit, { protocolVersion }: JsonObject): string | undefined {
  return !isComposed(upstream) && upstream.transport.kind === 'stdio' ? String(protocolVersion) : undefined
}

function agreed(visit: Visit, { opening }: SessionLink, params: JsonObject): string {
  return agreedVersion(opening.body, askedFor(visit, params)) ?? ''
}

/** An id that carries what is needed to open the session again, where that is not too much. */
function sealedId(
  { handles }: SessionParts,
  { principal, upstream }: Visit,
  { version, params: { capabilities, clientInfo } }: Sealed,
): string {
  const payload = { server: upstream.version, version, params: { capabilities, clientInfo } }
  const id = handles.seal('session', [principal.id, upstream.id], payload, lifeSeconds)
  return id.length <= maxIdLength ? id : newHandle()
}

// A session with a server that was changed since is over, in every process.
function unsealed(
  { handles }: SessionParts,
  { principal, upstream }: Pick<Visit, 'principal' | 'upstream'>,
  id: string,
): Sealed | undefined {
  if (id.length > maxIdLength) return undefined
  const payload = handles.open('session', [principal.id, upstream.id], id)
  if (payload === undefined || payload.server !== upstream.version) return undefined
  const { version, params } = payload
  return typeof version === 'string' && isObject(params) ? { version, params } : undefined
}
