import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Decision } from '../access/index.ts'
import type { AuditEvent, AuditRecord } from '../audit/index.ts'
import type { Clock } from '../foundation/clock.ts'
import type { Handles } from '../foundation/handles.ts'
import { newId } from '../foundation/id.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { Presented } from '../foundation/presented.ts'
import type { Principal } from '../identity/index.ts'
import type { Served } from '../servers/index.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Asker, Era } from '../upstreams/index.ts'
import type { OwnHeaders } from '../vault/index.ts'
import type { MethodRow } from './methods.ts'
import type { Outlet } from './outlet.ts'
import { ResponseOutlet } from './response-outlet.ts'

export type Over = 'tcp' | 'local'

export type ExchangeParts = {
  readonly audit: AuditRecord
  readonly metrics: Metrics
  readonly clock: Clock
  readonly handles: Handles
}

type Input = AuditEvent['input']

/** One message of an MCP client on its way through the rooms, and the audit event it becomes. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Where its answer goes; the response, unless somebody knows better. */
  outlet: Outlet
  readonly requestId: string
  readonly over: Over
  readonly at: number
  principal: Principal | undefined
  /** The token of an identity provider that they came with. It is nowhere else, and goes with the request. */
  presented: Presented | undefined
  /** `group/server`, once it is known. */
  target: string | null = null
  /** What the address stands for, once that is known. */
  served: Served | undefined
  action = 'http'
  /** The request of the stateless era as its client sent it, where it may be asked something back. */
  asked: { readonly row: MethodRow; readonly method: string; readonly params: JsonObject } | undefined
  subject: string | null = null
  decision: Decision | null = null
  /** The tool was found by search: what is wrong with the call is told the model that chose it, with what it may have meant. */
  chosenBySearch: { readonly hint?: string } | undefined
  /** Where it went, when that is another server than was asked. */
  detail: { readonly source: string; readonly name: string } | null = null
  /** Headers its client brought along, by the server they are for. */
  own: ReadonlyMap<string, OwnHeaders> | undefined
  /** The names of those that were used. */
  clientHeaders: readonly string[] | undefined
  era: Era | null = null
  /** The id the client gave, as raw JSON; `null` where there is none. */
  clientId = 'null'
  input: Input = null
  bytesIn = 0
  bytesOut = 0
  readonly #parts: ExchangeParts
  readonly #startedAt: number
  #upstreamAt = 0
  #upstreamTime = 0
  #recorded = false

  constructor(
    parts: ExchangeParts,
    request: IncomingMessage,
    response: ServerResponse,
    over: Over,
    requestId: string,
  ) {
    this.#parts = parts
    this.request = request
    this.response = response
    this.outlet = new ResponseOutlet(response)
    this.over = over
    this.requestId = requestId
    this.at = parts.clock.now()
    this.#startedAt = parts.clock.elapsed()
  }

  /** One of several messages that came in this request: an exchange of its own, with an answer of its own. */
  part(outlet: Outlet): Exchange {
    const part = new Exchange(this.#parts, this.request, this.response, this.over, newId())
    part.outlet = outlet
    part.principal = this.principal
    part.presented = this.presented
    part.target = this.target
    part.served = this.served
    part.era = this.era
    part.own = this.own
    return part
  }

  upstreamStarted(): void {
    this.#upstreamAt = this.#parts.clock.elapsed()
  }

  upstreamEnded(): void {
    if (this.#upstreamAt !== 0) this.#upstreamTime = this.#parts.clock.elapsed() - this.#upstreamAt
    this.#upstreamAt = 0
  }

  get handles(): Handles {
    return this.#parts.handles
  }

  /** Milliseconds since the request came in. */
  get elapsed(): number {
    return this.#parts.clock.elapsed() - this.#startedAt
  }

  get isRecorded(): boolean {
    return this.#recorded
  }

  /** Writes the audit event; `written` runs once it is safe to answer. A second call records nothing and goes on at once. */
  record(outcome: AuditEvent['outcome'], error: string | null, written: (error?: Error) => void): void {
    if (this.#recorded) return written()
    this.#recorded = true
    this.upstreamEnded()
    const total = this.#parts.clock.elapsed() - this.#startedAt
    this.#parts.metrics.exchange(this.action, outcome, total / 1000, this.#upstreamTime / 1000)
    this.#parts.audit.record(this.#event(outcome, error, total), written)
  }

  #event(outcome: AuditEvent['outcome'], error: string | null, total: number): AuditEvent {
    const { principal, request } = this
    return {
      id: this.requestId,
      at: this.at,
      kind: 'exchange',
      requestId: this.requestId,
      who: {
        id: principal?.id ?? null,
        kind: principal?.kind ?? 'nobody',
        name: principal?.name ?? null,
        tokenId: principal?.tokenId ?? null,
        address: request.socket.remoteAddress ?? null,
        client: request.headers['user-agent']?.slice(0, 200) ?? null,
        ...(principal?.client === undefined ? {} : { oauthClient: principal.client.id }),
      },
      action: this.action,
      target: this.target,
      subject: this.subject,
      decision: this.decision,
      outcome,
      error,
      input: this.input,
      bytes: { in: this.bytesIn, out: this.bytesOut },
      time: { total: round(total), upstream: round(this.#upstreamTime) },
      era: this.era,
      detail: this.detail,
      ...(this.clientHeaders && { credentialSource: 'client', clientHeaders: this.clientHeaders }),
    }
  }
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000
}

/** The caller as servers are asked for them. What is remembered of somebody is by their principal, which brings nothing along. */
export function askerOf(
  { presented, own: brought, principal: came }: Pick<Exchange, 'presented' | 'own' | 'principal'>,
  principal: Principal,
): Asker {
  const bringsNothing = presented === undefined && brought === undefined
  if (bringsNothing || principal.id !== came?.id) return principal
  const { id, kind, subjects, client } = principal
  return { id, kind, subjects, presented, brought, ...(client !== undefined && { client }) }
}
