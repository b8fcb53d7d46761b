/** The way of stateless-era clients to an upstream that speaks only sessions. */
import { asGatewayError, fail } from '../../foundation/errors.ts'
import { isObject, type JsonObject } from '../../foundation/json.ts'
import type { Equipped } from '../equipped.ts'
import type { Outgoing, StatelessLink } from '../link.ts'
import type { Flight } from '../sink.ts'
import { type ClientFace, faceOf } from './client-face.ts'
import { CrossedCall } from './crossed-call.ts'
import { CrossedListen } from './crossed-listen.ts'
import type { CrossingParts } from './crossings.ts'
import { isLogLevel } from './log-level.ts'
import { Parking } from './parking.ts'
import { SessionPool } from './session-pool.ts'
import { discovery, undressed } from './stateless-dress.ts'
import { UrlFirst } from './url-first.ts'

/** Methods during which a server may ask its client back (MCP 2026-07-28, basic/patterns/mrtr). */
const askable = new Set(['tools/call', 'prompts/get', 'resources/read'])

const supported = ['2026-07-28']

export class StatelessOverSession {
  readonly #pool: SessionPool
  readonly #parking: Parking
  readonly #stopListening: () => void

  constructor({ connections, clock, limits, announcements }: CrossingParts) {
    const listChanged = (serverId: string) => announcements.announce({ topic: 'catalogue.changed', serverId })
    this.#pool = new SessionPool({ connections, clock, limits, listChanged })
    this.#parking = new Parking(clock, limits.callSecondsMax)
    this.#stopListening = announcements.listen('upstream.changed', ({ serverId }) => {
      this.#parking.endOf(serverId)
      this.#pool.endOf(serverId)
    })
  }

  link(to: Equipped): StatelessLink {
    return { request: outgoing => this.#request(to, outgoing) }
  }

  /** Sessions that are open for clients that have none. */
  get sessions(): number {
    return this.#pool.size
  }

  /** Calls that wait for their client to come back. */
  get parked(): number {
    return this.#parking.size
  }

  async close(): Promise<void> {
    this.#stopListening()
    this.#parking.close()
    await this.#pool.close()
  }

  #request(to: Equipped, outgoing: Outgoing): Flight {
    const { params, method } = outgoing
    if (params.requestState !== undefined) return this.#comeBack(to, outgoing)
    if (method === 'subscriptions/listen') return this.#listen(to, outgoing)
    if (method === 'server/discover') return this.#discover(to, outgoing)
    return this.#call(to, outgoing)
  }

  #call(to: Equipped, outgoing: Outgoing): Flight {
    const face = faceOf(outgoing.params)
    const logLevel = logLevelOf(outgoing.params)
    const call = new CrossedCall({ parking: this.#parking, to, face, logLevel }, outgoing)
    const isExclusive = askable.has(outgoing.method) && (face.canBeAsked || logLevel !== undefined)
    this.#carry(call, { to, face, isExclusive, logLevel }, outgoing).catch(thrown =>
      call.failed(asGatewayError(thrown)),
    )
    return call.flight
  }

  async #carry(call: CrossedCall, how: How, outgoing: Outgoing): Promise<void> {
    const lease = await this.#pool.lease(how, how.isExclusive)
    call.carriedBy(lease)
    if (call.isOver) return
    if (how.logLevel !== undefined) await lease.session.logAt(how.logLevel)
    if (call.isOver) return
    const body = undressed(outgoing.body, outgoing.params)
    lease.session.link.request({ ...outgoing, body, sink: call, mirrored: [] })
  }

  #comeBack(to: Equipped, outgoing: Outgoing): Flight {
    const parked = this.#parking.take(outgoing.params.requestState, to, outgoing.method)
    if (parked instanceof UrlFirst) {
      const objection = parked.objection(outgoing.params)
      if (objection) throw objection
      return this.#call(to, outgoing)
    }
    if (!(parked instanceof CrossedCall)) return fail('internal.unexpected')
    parked.goOn(outgoing)
    return parked.flight
  }

  #listen(to: Equipped, outgoing: Outgoing): Flight {
    const listen = new CrossedListen(outgoing)
    const place = { to, face: faceOf(outgoing.params) }
    this.#pool
      .lease(place, false)
      .then(lease => listen.open(lease))
      .catch(thrown => listen.failed(asGatewayError(thrown)))
    return listen.flight
  }

  #discover(to: Equipped, { params, sink }: Outgoing): Flight {
    const place = { to, face: faceOf(params) }
    this.#pool.lease(place, false).then(
      ({ session, release }) => {
        release()
        const bytes = discovery(session.opening(sink.clientId), supported)
        sink.answer(bytes, JSON.parse(bytes.toString('utf8')), 200)
      },
      thrown => sink.failed(asGatewayError(thrown)),
    )
    return grounded
  }
}

type How = {
  readonly to: Equipped
  readonly face: ClientFace
  readonly isExclusive: boolean
  readonly logLevel: string | undefined
}

/** Of a request for which nothing is under way that could be held up. */
const grounded: Flight = { pause: () => {}, resume: () => {}, abort: () => {} }

function logLevelOf({ _meta }: JsonObject): string | undefined {
  const level = isObject(_meta) ? _meta['io.modelcontextprotocol/logLevel'] : undefined
  if (level === undefined || isLogLevel(level)) return level
  return fail('mcp.invalid_params', { why: 'The logLevel in _meta is not one of the protocol.' })
}
