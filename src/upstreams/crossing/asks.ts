/** What a session-era server asks its client while a call is under way, as the stateless era asks it: in the call's own result. */
import { isObject, type JsonObject, spanAt } from '../../foundation/json.ts'
import { edited } from '../../foundation/json-edit.ts'

/** A request of the server that the client has not answered. */
export type Ask = {
  /** Its id, as the server gave it, and as it wrote it. */
  readonly id: string | number
  readonly rawId: string
  readonly method: string
  /** As the server wrote them; undefined where it gave none. */
  readonly rawParams: string | undefined
}

/** More than this unanswered in one call is no conversation. */
export const mostAsks = 32

const elicitationId = new Set(['elicitationId'])

/** Reads a request of the server. */
export function askOf(bytes: Buffer, message: JsonObject): Ask | undefined {
  const { id, method } = message
  const span = spanAt(bytes, ['id'])
  if ((typeof id !== 'string' && typeof id !== 'number') || span === undefined) return undefined
  const rawId = bytes.toString('utf8', span.start, span.end)
  return { id, rawId, method: String(method), rawParams: paramsOf(bytes, message) }
}

// The id of a URL elicitation is for a notification that this era does not have (2026-07-28, changelog).
function paramsOf(bytes: Buffer, { method, params }: JsonObject): string | undefined {
  const isUrl = method === 'elicitation/create' && isObject(params) && params.mode === 'url'
  const plain = isUrl ? edited(bytes, ['params'], { drop: elicitationId }) : bytes
  const span = spanAt(plain, ['params'])
  return span && plain.toString('utf8', span.start, span.end)
}

/** URL elicitations that an error asks for before the request may be sent again (2025-11-25, client/elicitation, -32042); undefined when it is no such error. */
export function asksOfError({ error }: JsonObject): Pick<Ask, 'method' | 'rawParams'>[] | undefined {
  if (!isObject(error) || error.code !== -32042 || !isObject(error.data)) return undefined
  const { elicitations } = error.data
  if (!Array.isArray(elicitations) || elicitations.length === 0 || elicitations.length > mostAsks)
    return undefined
  const isUrl = (value: unknown) => isObject(value) && typeof value.url === 'string'
  if (!elicitations.every(isUrl)) return undefined
  return elicitations.map(({ elicitationId: _, ...params }: JsonObject) => ({
    method: 'elicitation/create',
    rawParams: JSON.stringify({ mode: 'url', ...params }),
  }))
}

/** An InputRequiredResult as a whole answer (2026-07-28, basic/patterns/mrtr). */
export function inputRequired(
  clientId: string,
  asks: Iterable<[string, Pick<Ask, 'method' | 'rawParams'>]>,
  state: string,
): Buffer {
  const requests = [...asks].map(([key, { method, rawParams }]) => {
    const params = rawParams === undefined ? '' : `,"params":${rawParams}`
    return `${JSON.stringify(key)}:{"method":${JSON.stringify(method)}${params}}`
  })
  const result = `{"resultType":"input_required","inputRequests":{${requests.join(',')}},"requestState":${JSON.stringify(state)}}`
  return Buffer.from(`{"jsonrpc":"2.0","id":${clientId},"result":${result}}`)
}

/** What the client answered to one ask, as the response the server waits for; undefined when it answered nothing to it. */
export function responseTo(
  ask: Ask,
  key: string,
  retry: { body: Buffer; params: JsonObject },
): Buffer | undefined {
  const { inputResponses } = retry.params
  if (!isObject(inputResponses) || !isObject(inputResponses[key])) return undefined
  const span = spanAt(retry.body, ['params', 'inputResponses', key])
  return (
    span &&
    Buffer.from(
      `{"jsonrpc":"2.0","id":${ask.rawId},"result":${retry.body.toString('utf8', span.start, span.end)}}`,
    )
  )
}
