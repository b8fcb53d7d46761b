/** Calls of the three tools that stand for many: a search and a description are answered here, a call becomes the call it means. */
import { fail } from '../foundation/errors.ts'
import { applyPatches, isObject, type JsonObject, spanAt } from '../foundation/json.ts'
import { nearest } from '../foundation/nearest.ts'
import {
  describeResult,
  isComposed,
  type MetaToolName,
  type MetaToolResult,
  metaTools,
  searchLimit,
  searchResult,
} from '../servers/index.ts'
import { answerWith, type Composed } from './composed-answers.ts'
import { noteInput } from './forward.ts'
import { type Offered, offered } from './offered.ts'
import type { Visit } from './stateless.ts'
import { isSearched, type ToolListParts } from './tool-list.ts'

/** A request as it came, or as it was meant. */
export type Asked = { readonly bytes: Buffer; readonly params: JsonObject }

type Parts = ToolListParts & { readonly argumentsInFull: boolean }

/** What a call of a tool means where three stand for many: itself, the call within it, or undefined where it is answered already. */
export function meantBy(parts: Parts, whole: Visit, method: string, asked: Asked): Asked | undefined {
  const { upstream } = whole
  const { name } = asked.params
  if (!isComposed(upstream)) return asked
  const visit = { ...whole, upstream }
  if (method !== 'tools/call' || !isMetaTool(name) || !isSearched(parts, visit)) return asked
  const given = isObject(asked.params.arguments) ? asked.params.arguments : {}
  const mine = offered(parts, visit)
  visit.exchange.chosenBySearch = {}
  if (name === 'call_tool') return callWithin(visit, mine, asked, given)
  visit.exchange.subject = name
  visit.exchange.decision = { allowed: true, reason: 'a tool of the gateway, over what is granted' }
  noteInput({ ...asked, exchange: visit.exchange }, parts.argumentsInFull)
  answerTool(visit, name === 'search_tools' ? found(mine, given) : described(mine, given))
  return undefined
}

function isMetaTool(name: unknown): name is MetaToolName {
  return metaTools.some(tool => tool.name === name)
}

function answerTool({ exchange }: Composed, result: MetaToolResult): void {
  const complete = exchange.era === 'stateless' ? { resultType: 'complete' } : {}
  answerWith(exchange, JSON.stringify({ ...complete, ...result }))
}

const longestQuery = 1000

function found(mine: Offered, { query, limit = searchLimit.usual }: JsonObject): MetaToolResult {
  if (typeof query !== 'string' || query.trim() === '' || query.length > longestQuery)
    return refused(`search_tools takes a query: what you want to do, in 1 to ${longestQuery} characters.`)
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1)
    return refused(`The limit of search_tools is a whole number from 1 to ${searchLimit.most}.`)
  const names = mine
    .search()
    .find(query, Math.min(limit, searchLimit.most))
    .map(({ name }) => name)
  return searchResult(names.map(name => ({ name, definition: mine.definition(name) ?? {} })))
}

function described(mine: Offered, { name }: JsonObject): MetaToolResult {
  const definition = mine.definition(nameIn('describe_tool', name))
  return definition === undefined ? refused(unknown(mine, String(name))) : describeResult(definition)
}

// Spans of the outer call are of no use within the inner one, so that is written out; what it says stays as the client wrote it.
function callWithin(
  { exchange }: Composed,
  mine: Offered,
  { bytes, params }: Asked,
  given: JsonObject,
): Asked {
  const name = nameIn('call_tool', given.name)
  const args = given.arguments ?? {}
  if (!isObject(args))
    return refused('The arguments of call_tool are an object, by the schema of the tool it calls.')
  exchange.chosenBySearch = { hint: hint(mine, name) }
  const [ofName, ofArguments] = [spanAt(bytes, ['params', 'name']), spanAt(bytes, ['params', 'arguments'])]
  const inner = spanAt(bytes, ['params', 'arguments', 'arguments'])
  const text = inner === undefined ? '{}' : bytes.toString('utf8', inner.start, inner.end)
  const patches = [
    ...(ofName === undefined ? [] : [{ span: ofName, text: JSON.stringify(name) }]),
    ...(ofArguments === undefined ? [] : [{ span: ofArguments, text }]),
  ]
  return { bytes: applyPatches(bytes, patches), params: { ...params, name, arguments: args } }
}

function nameIn(tool: MetaToolName, name: unknown): string {
  return typeof name === 'string'
    ? name
    : refused(`${tool} takes the name of a tool, as search_tools gave it.`)
}

function unknown(mine: Offered, name: string): string {
  return `There is no tool ${JSON.stringify(name.slice(0, 200))} here.${hint(mine, name)}`
}

const longestMisspelt = 64

function hint(mine: Offered, name: string): string {
  if (mine.tools.has(name)) return ''
  const close = name.length <= longestMisspelt ? nearest(name, mine.tools.keys()) : undefined
  return close === undefined ? ' Find tools with search_tools.' : ` Did you mean ${close}?`
}

// A model can put it right, so it is a result of the tool.
function refused(why: string): never {
  return fail('servers.argument_refused', { why })
}
