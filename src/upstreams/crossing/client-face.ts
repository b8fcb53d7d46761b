/** Who an upstream with sessions is told its client is, when the client is one of the stateless era. */
import { hash } from 'node:crypto'
import { canonical, isObject, type JsonObject } from '../../foundation/json.ts'
import { version } from '../../foundation/version.ts'
import { metaKeys } from '../revisions.ts'

export type ClientFace = {
  /** Parameters of `initialize`. */
  readonly params: JsonObject
  readonly capabilities: JsonObject
  /** The server may ask this client back. */
  readonly canBeAsked: boolean
  /** The same for clients that an upstream must see as the same. */
  readonly fingerprint: string
}

/** The face of the client that sent these parameters (MCP 2026-07-28, basic/index, `_meta`). */
export function faceOf(params: JsonObject): ClientFace {
  const meta = isObject(params._meta) ? params._meta : {}
  const declared = meta[metaKeys.capabilities]
  const capabilities = forSessions(isObject(declared) ? declared : {})
  const clientInfo = isImplementation(meta[metaKeys.client]) ? meta[metaKeys.client] : ourselves
  const { elicitation, sampling, roots } = capabilities
  return {
    params: { protocolVersion: '2025-11-25', capabilities, clientInfo },
    capabilities,
    canBeAsked: [elicitation, sampling, roots].some(isObject),
    fingerprint: hash('sha256', canonical([capabilities, clientInfo])),
  }
}

const ourselves = { name: 'gatehouse', title: 'Gatehouse', version }

export function isImplementation(value: unknown): value is JsonObject {
  return isObject(value) && typeof value.name === 'string' && typeof value.version === 'string'
}

// Tasks are another thing in each era, and extensions bring methods that the other era has not.
export function forSessions({ tasks: _, extensions: __, ...rest }: JsonObject): JsonObject {
  return rest
}

/** Has the client said that it can be asked this? (MCP 2026-07-28, basic/patterns/mrtr.) */
export function canAnswer(
  { capabilities }: Pick<ClientFace, 'capabilities'>,
  method: string,
  params: JsonObject,
): boolean {
  const { elicitation, sampling, roots } = capabilities
  switch (method) {
    case 'roots/list':
      return isObject(roots)
    case 'sampling/createMessage':
      return isObject(sampling) && (params.tools === undefined || isObject(sampling.tools))
    case 'elicitation/create':
      if (!isObject(elicitation)) return false
      // Without a mode named, form is meant (ibid., client/elicitation).
      return params.mode === 'url'
        ? isObject(elicitation.url)
        : isObject(elicitation.form) || elicitation.url === undefined
    default:
      return false
  }
}
