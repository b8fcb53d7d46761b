/** A caller who has to connect an account first is told so in the best form that their client can show. */

import { fail, GatewayError } from '../foundation/errors.ts'
import type { Handles } from '../foundation/handles.ts'
import { newHandle } from '../foundation/id.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { edited } from '../foundation/json-edit.ts'
import type { Awaited } from '../vault/index.ts'
import type { Exchange } from './exchange.ts'
import type { MethodRow } from './methods.ts'
import { boundTo, type Owner } from './tasks.ts'
import { digestOf } from './unseal.ts'
import { metaKeys } from './versions.ts'

export function isConnectNeeded(error: unknown): error is GatewayError {
  return error instanceof GatewayError && error.code === 'vault.connect_needed'
}

/** Can the client lead its person to a web page (MCP, client/elicitation, "URL mode")? */
export function canOpenUrls(capabilities: unknown): boolean {
  return (
    isObject(capabilities) && isObject(capabilities.elicitation) && isObject(capabilities.elicitation.url)
  )
}

function linkOf({ data, why }: GatewayError): { url: string; message: string } {
  return { url: String(data?.url), message: `${why} Open the page to connect it; the call then goes on.` }
}

/** For a model and whoever reads along: one sentence with the link. */
export function connectText(error: GatewayError): string {
  return `${error.why} ${error.fix}`
}

/** How long a client may take to come back. */
const stateSeconds = 24 * 3600

/** The answer that has a stateless client open the page and come back; undefined for a client or a request that cannot. */
export function connectRequest(error: GatewayError, exchange: Exchange): string | undefined {
  const { asked, principal, served, handles } = exchange
  if (asked?.row.asks !== true || principal === undefined || served === undefined) return undefined
  const { method, params } = asked
  const meta = isObject(params._meta) ? params._meta : {}
  // In the midst of a conversation with the server there is another state that has to come back.
  if (!canOpenUrls(meta[metaKeys.capabilities]) || params.requestState !== undefined) return undefined
  const owner = { principal, upstream: served }
  const payload = { ...awaitedOf(error), request: digestOf(method, params) }
  const requestState = handles.seal('connecting', boundTo(owner), payload, stateSeconds)
  const elicitation = { mode: 'url', ...linkOf(error) }
  const inputRequests = { connect: { method: 'elicitation/create', params: elicitation } }
  const result = { resultType: 'input_required', inputRequests, requestState }
  return `{"jsonrpc":"2.0","id":${exchange.clientId},"result":${JSON.stringify(result)}}`
}

/** What is waited for. */
export function awaitedOf({ data }: GatewayError): Awaited {
  return { server: String(data?.server), reason: String(data?.reason), since: Date.now() }
}

export type Asked = { readonly row: MethodRow; readonly method: string; readonly params: JsonObject }

type BackParts = {
  readonly handles: Handles
  readonly vault: {
    whenConnected(principalId: string, awaited: Awaited, milliseconds: number): Promise<boolean>
  }
  readonly callSeconds: number
}

/** Of the time of a call, so that its client still waits for the answer. */
const patience = 0.75

/**
 * A stateless client is back from the page: waits for the connection and gives the request as it was. The same request, when it did
 * not come from there. Throws `mcp.input_declined`.
 */
export async function backFromConnecting(
  { handles, vault, callSeconds }: BackParts,
  owner: Owner,
  { row, method, params, bytes }: Asked & { readonly bytes: Buffer },
): Promise<{ params: JsonObject; bytes: Buffer }> {
  const { requestState, inputResponses, ...same } = params
  if (row.asks !== true || typeof requestState !== 'string') return { params, bytes }
  const sealed = handles.open('connecting', boundTo(owner), requestState)
  if (sealed === undefined || sealed.request !== digestOf(method, params)) return { params, bytes }
  const { connect } = isObject(inputResponses) ? inputResponses : {}
  if (!isObject(connect) || connect.action !== 'accept') fail('mcp.input_declined')
  const awaited = {
    server: String(sealed.server),
    reason: String(sealed.reason),
    since: Number(sealed.since),
  }
  // Not connected in time: it is asked again, by the way everybody comes.
  await vault.whenConnected(owner.principal.id, awaited, callSeconds * 1000 * patience)
  const drop = new Set(['requestState', 'inputResponses'])
  return { params: same, bytes: edited(bytes, ['params'], { drop }) }
}

/** Questions of the gateway's own in a session, and calls that wait for them. */
export class OwnAsks {
  readonly #asks = new Map<string, (answer: JsonObject) => void>()
  readonly #waiting = new Map<string, AbortController>()

  /** Was it an answer to a question of ours? */
  answer(id: string | number, bytes: Buffer): boolean {
    const answered = this.#asks.get(String(id))
    if (answered === undefined) return false
    this.#asks.delete(String(id))
    const body: unknown = JSON.parse(bytes.toString())
    answered(isObject(body) ? body : {})
    return true
  }

  /** The client cancels a call that waits; false when there is none. */
  cancel(key: string): boolean {
    const waiting = this.#waiting.get(key)
    waiting?.abort()
    return waiting !== undefined
  }

  isWaiting(key: string): boolean {
    return this.#waiting.has(key)
  }

  /** Everything that waits is over. */
  close(): void {
    for (const waiting of this.#waiting.values()) waiting.abort()
  }

  /** Sends the question in the stream of the call, and resolves with the result. Rejects when the call is cancelled. */
  async ask(
    exchange: Exchange,
    key: string,
    method: string,
    params: JsonObject,
    work: (answer: JsonObject, cancelled: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const id = `connect-${newHandle()}`
    const cancelled = new AbortController()
    this.#waiting.set(key, cancelled)
    const beat = setInterval(() => exchange.outlet.beat(), beatMilliseconds)
    try {
      const answer = new Promise<JsonObject>((done, refuse) => {
        this.#asks.set(id, done)
        cancelled.signal.addEventListener('abort', () => refuse(new GatewayError('mcp.cancelled')))
      })
      exchange.outlet.stream()
      exchange.outlet.message(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method, params })))
      await work(await answer, cancelled.signal)
    } finally {
      clearInterval(beat)
      this.#asks.delete(id)
      this.#waiting.delete(key)
    }
  }
}

const beatMilliseconds = 15_000

type SessionAskParts = {
  readonly vault: BackParts['vault']
  readonly callSecondsMax: number
}

/** Has the client of a session open the page, and waits until the account is connected. Throws `mcp.input_declined`, or the error itself. */
export async function connectInSession(
  { vault, callSecondsMax }: SessionAskParts,
  { exchange, asks, key }: { exchange: Exchange; asks: OwnAsks; key: string },
  error: GatewayError,
): Promise<void> {
  const elicitationId = newHandle()
  const awaited = awaitedOf(error)
  const params = { mode: 'url', elicitationId, ...linkOf(error) }
  await asks.ask(exchange, key, 'elicitation/create', params, async ({ result }, cancelled) => {
    if (!isObject(result) || result.action !== 'accept') fail('mcp.input_declined')
    const left = callSecondsMax * 1000 - exchange.elapsed
    const isConnected = await Promise.race([
      vault.whenConnected(exchange.principal?.id ?? '', awaited, left),
      new Promise<never>((_, refuse) =>
        cancelled.addEventListener('abort', () => refuse(new GatewayError('mcp.cancelled'))),
      ),
    ])
    if (!isConnected) throw error
    const complete = {
      jsonrpc: '2.0',
      method: 'notifications/elicitation/complete',
      params: { elicitationId },
    }
    exchange.outlet.message(Buffer.from(JSON.stringify(complete)))
  })
}
