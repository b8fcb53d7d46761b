/** GET of a session: the stream of what the server says unasked, or the rest of a stream that broke. */
import { fail } from '../foundation/errors.ts'
import { isObject } from '../foundation/json.ts'
import { errorBody } from './answer-error.ts'
import { answerOk } from './answer-ok.ts'
import { mayHear } from './clear.ts'
import type { Exchange } from './exchange.ts'
import { Follow } from './follow.ts'
import { primingFrame } from './frame.ts'
import type { SessionParts } from './open-session.ts'
import type { Found, KeptEvent, KeptStream, Owner } from './replay.ts'
import { ResponseOutlet } from './response-outlet.ts'
import { sessionOf } from './session-door.ts'
import { answerGone } from './session-outlet.ts'
import type { Session } from './sessions.ts'
import type { Visit } from './stateless.ts'
import type { OpenStream } from './streams.ts'
import { Unasked } from './unasked.ts'

/** More streams of one session than this are no client's. */
const maxStreams = 16

type Listening = Omit<Visit, 'bytes'> & { readonly session: Session }

/** Answers a GET. */
export async function follow(parts: SessionParts, visit: Omit<Visit, 'bytes'>): Promise<void> {
  const session = await sessionOf(parts, { ...visit, bytes: Buffer.alloc(0) })
  const found = findEvent(session, visit.exchange)
  if (session.streams.size >= maxStreams)
    fail('mcp.too_many_streams', { why: `A session may have ${maxStreams} of them.` })
  parts.streams.reserve(visit.exchange)
  const listening = { ...visit, session }
  if (found?.place.kind !== 'call') return listen(parts, listening, found)
  const { owner, place } = found
  if (owner !== undefined) return takeBack(parts, listening, { owner, sequence: place.sequence })
  answerLost(visit.exchange, found)
}

function findEvent(session: Session, { request }: Exchange): Found | undefined {
  const id = request.headers['last-event-id']
  if (id === undefined || id === '') return undefined
  const found = typeof id === 'string' ? session.replay.find(id) : undefined
  return found ?? fail('http.bad_request', { why: 'Last-Event-ID names no event of this gateway.' })
}

/**
 * A stream of what is said unasked. One whose place is not known any more begins anew: what was said meanwhile is lost, but its client
 * goes on hearing; an error would make some clients give up for good.
 */
function listen(parts: SessionParts, visit: Listening, found: Found | undefined): void {
  const { session, exchange } = visit
  if (exchange.outlet.isGone) return exchange.record('cancelled', null, () => undefined)
  const kept = found?.stream ?? session.replay.open()
  const before = found?.stream && session.unasked?.holder(found.stream)
  const missed = found?.stream === undefined ? [] : audible(parts, visit, kept.after(found.place.sequence))
  const unasked = unaskedOf(parts, visit)
  const stream = openFollow(parts, visit, { kept, unasked })
  answerOk(exchange, () => {
    const first = session.isPrimed && found?.stream === undefined ? primingFrame(kept.pass()) : undefined
    if (!stream.open({ first, missed })) return
    parts.streams.add(stream)
    unasked.join(stream)
    before?.end()
  })
}

// A stream of a session, which ends with it.
function openFollow(
  parts: SessionParts,
  { session, exchange }: Listening,
  { kept, unasked }: { kept: KeptStream; unasked: Unasked },
): Follow {
  const stream: Follow = new Follow(exchange, {
    kept,
    isLasting: () => true,
    used: () => parts.sessions.touch(session),
    ended: isAway => {
      session.streams.delete(stream)
      parts.streams.remove(stream)
      unasked.leave(stream, isAway)
    },
  })
  session.streams.add(stream)
  return stream
}

/** What the server says unasked; listened to upstream as soon as somebody joins. */
export function unaskedOf(parts: SessionParts, { session, principal, upstream }: Listening): Unasked {
  session.unasked ??= new Unasked({
    listen: to => session.link.listen(to, undefined),
    listChanged: () => parts.listChanged(upstream.id),
    mayHear: (who, method) => mayHear(parts.access, who ?? principal, upstream, method),
    taskName: (who, id) => parts.tasks.heard({ principal: who ?? principal, upstream }, id),
    reply: upstreamId => session.reply(upstreamId),
  })
  return session.unasked
}

// Rights may have changed while the client was away.
function audible(parts: SessionParts, visit: Listening, events: readonly KeptEvent[]): KeptEvent[] {
  return events.filter(({ message }) => {
    const body: unknown = JSON.parse(message.toString('utf8'))
    const method = isObject(body) ? String(body.method) : ''
    return mayHear(parts.access, visit.principal, visit.upstream, method)
  })
}

/** The rest of the stream that answers a request: what was said since, and what is still to come. */
function takeBack(
  parts: SessionParts,
  { session, exchange }: Listening,
  { owner, sequence }: { owner: Owner; sequence: number },
): void {
  if (exchange.outlet.isGone) return exchange.record('cancelled', null, () => undefined)
  const way = new ResponseOutlet(exchange.response)
  const stream: OpenStream = {
    exchange,
    isLasting: false,
    // The reply it belongs to does that.
    beat: () => undefined,
    end: () => way.cut(),
  }
  session.streams.add(stream)
  exchange.response.on('close', () => {
    session.streams.delete(stream)
    parts.streams.remove(stream)
  })
  answerOk(exchange, () => {
    parts.streams.add(stream)
    if (exchange.response.destroyed) parts.streams.remove(stream)
    else owner.takeBack(way, sequence)
  })
}

// Told on the stream itself: a client does not tell its caller of an HTTP error here, and would wait for the answer in vain.
function answerLost(exchange: Exchange, { place }: Found): void {
  if (place.clientId === undefined)
    fail('http.bad_request', { why: 'What followed this event is not kept any more.' })
  exchange.clientId = place.clientId
  const why = 'The gateway was restarted since, or has had to make room.'
  const way = new ResponseOutlet(exchange.response)
  answerOk(exchange, () => {
    way.stream()
    way.answer(Buffer.from(errorBody(answerGone(why), exchange)), 200)
  })
}
