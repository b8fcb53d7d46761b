/** What a stateless-era server needs before it can go on, and how a session-era client is asked for it. */
import { randomUUID } from 'node:crypto'
import { GatewayError } from '../../foundation/errors.ts'
import { isObject, type JsonObject, members, spanAt } from '../../foundation/json.ts'
import { edited } from '../../foundation/json-edit.ts'
import { badAnswer } from '../message.ts'

export type InputRequest = {
  /** The server's name for it. */
  readonly key: string
  readonly method: string
  /** As the server wrote them; undefined where it gave none. */
  readonly rawParams: string | undefined
}

export type InputRequired = {
  readonly requests: readonly InputRequest[]
  /** As the server wrote it; undefined where it gave none, and then none may be sent back. */
  readonly rawState: string | undefined
}

/** More than this at once is no conversation. */
const mostRequests = 32

/** The only requests that may be answered with a question (MCP 2026-07-28, basic/patterns/mrtr, "Supported Requests"). */
export const mayAskBack: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

/** Reads an InputRequiredResult. Throws `upstream.bad_answer`, and `mcp.input_impossible` where the client never said that it could be asked. */
export function inputRequired(
  bytes: Buffer,
  { inputRequests, requestState }: JsonObject,
  canAnswer: (method: string, params: JsonObject) => boolean,
): InputRequired {
  if (inputRequests !== undefined && !isObject(inputRequests))
    throw badAnswer('Its inputRequests are no object.')
  if (requestState !== undefined && typeof requestState !== 'string')
    throw badAnswer('Its requestState is no text.')
  if (inputRequests === undefined && requestState === undefined)
    throw badAnswer('It needs input, but does not say which.')
  if (Object.keys(inputRequests ?? {}).length > mostRequests) throw badAnswer('It asks for too much at once.')
  const state = spanAt(bytes, ['result', 'requestState'])
  const requests = spanAt(bytes, ['result', 'inputRequests'])
  return {
    rawState: state && bytes.toString('utf8', state.start, state.end),
    requests: requests
      ? [...members(bytes, requests.start)].map(([key, { start }]) => {
          const request = inputRequests?.[key]
          checkAnswerable(request, canAnswer)
          const params = spanAt(bytes, ['params'], start)
          return {
            key,
            method: request.method,
            rawParams: params && bytes.toString('utf8', params.start, params.end),
          }
        })
      : [],
  }
}

const words: Readonly<Record<string, string>> = {
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
}

function checkAnswerable(
  request: unknown,
  canAnswer: (method: string, params: JsonObject) => boolean,
): asserts request is { method: string } {
  const method = isObject(request) ? request.method : undefined
  if (!isObject(request) || typeof method !== 'string' || !Object.hasOwn(words, method))
    throw badAnswer('It asks for something that no client can be asked for.')
  const params = request.params ?? {}
  if (!isObject(params)) throw badAnswer('What it asks for has no parameters that can be read.')
  if (canAnswer(method, params)) return
  const kind = params.mode === 'url' ? ' by URL' : params.tools === undefined ? '' : ' with tools'
  throw new GatewayError('mcp.input_impossible', {
    why: `It asks for ${words[method]}${kind}, which your client did not declare.`,
  })
}

/** The request as the client is asked, with an id of the gateway's. */
export function askMessage(
  id: number,
  { method, rawParams }: InputRequest,
): { bytes: Buffer; message: JsonObject } {
  const params = rawParams === undefined ? '' : `,"params":${withElicitationId(method, rawParams)}`
  const bytes = Buffer.from(`{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}${params}}`)
  return { bytes, message: { jsonrpc: '2.0', id, method } }
}

// Elicitation by URL needs an id in the session era (2025-11-25, client/elicitation); nobody will be told of its completion.
function withElicitationId(method: string, rawParams: string): string {
  if (method !== 'elicitation/create' || !isUrl(rawParams)) return rawParams
  return edited(Buffer.from(rawParams), [], {
    add: { elicitationId: JSON.stringify(randomUUID()) },
  }).toString()
}

function isUrl(rawParams: string): boolean {
  const params: unknown = JSON.parse(rawParams)
  return isObject(params) && params.mode === 'url'
}
