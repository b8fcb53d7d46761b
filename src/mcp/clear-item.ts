/** Steps "aim" and "clear" where several servers stand behind one address: which of them is meant, and whether this caller may. */
import type { Action } from '../access/index.ts'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject, type Patch, spanAt } from '../foundation/json.ts'
import {
  arrange,
  arrangePatches,
  type ComposedServer,
  type Composition,
  everythingId,
  type Item,
  targetOfItem,
} from '../servers/index.ts'
import { type Aim, type Aimed, absent, type ClearParts, circumstancesOf, mayUse, shown } from './clear.ts'
import type { Exchange } from './exchange.ts'

type ItemAim = Aim & {
  readonly upstream: ComposedServer
  readonly action: Action
  readonly subject: string | undefined
}

/** Clears the caller for one thing of a composed server. Throws `access.*` and `servers.argument_refused`. */
export function clearItem(parts: ClearParts, exchange: Exchange, aim: ItemAim): Aimed {
  const { principal, upstream, action, subject, params } = aim
  if (!mayUse(parts.access, principal, upstream)) fail('access.not_found')
  if (params.task !== undefined) fail('mcp.invalid_params', { why: 'Nothing of this server runs as a task.' })
  const item = itemOf(upstream.composition(), aim)
  if (item === undefined) {
    exchange.decision = { allowed: false, reason: 'nothing of this name is behind this address' }
    throw absent(action, subject)
  }
  note(exchange, upstream, item)
  const bytes = aim.bytes ?? Buffer.alloc(0)
  const { args, patches, refusal } = arranged(item, params, bytes)
  const facts = item.kind === 'tool' ? parts.catalogue.tool(item.source.id, item.own) : undefined
  const sent = { ...params, ...args }
  const target = targetOfItem(parts.catalogue, item, item.kind === 'template' ? subject : undefined)
  // Arguments that are not taken decide nothing: who may not use the thing is not told of them.
  const circumstances = refusal === undefined ? circumstancesOf(exchange, sent) : undefined
  const decision = parts.access.clear(principal, action, target, circumstances)
  exchange.decision = shown(decision)
  if (!decision.allowed && decision.isAboutArguments) fail('access.policy_forbids', { why: decision.reason })
  if (!decision.allowed) throw absent(action, subject)
  if (facts?.held !== undefined) {
    exchange.decision = { allowed: false, reason: `held: ${facts.held}` }
    fail('access.tool_held', { why: facts.held })
  }
  if (refusal !== undefined) fail('servers.argument_refused', { why: refusal })
  const renamed = renaming(item, aim, bytes)
  return {
    equipped: parts.vault.equip(item.source, principal.id),
    params: { ...sent, ...renamed.params },
    patches: [...patches, ...renamed.patches],
  }
}

function itemOf(composition: Composition, { action, subject = '', row, params }: ItemAim): Item | undefined {
  switch (action) {
    case 'tool.call':
      return composition.find('tool', subject)
    case 'prompt.get':
      return composition.find('prompt', subject)
    case 'resource.read':
      return row.subject === 'ref' && isObject(params.ref)
        ? (composition.find('template', subject) ?? composition.resource(subject))
        : composition.resource(subject)
    default:
      return undefined
  }
}

// What was asked for under one address is of another server; the audit has both.
function note(exchange: Exchange, { id }: ComposedServer, { source, own, home, homeName, kind }: Item): void {
  exchange.detail = { source: `${source.group}/${source.name}`, name: own }
  if (id !== everythingId) return
  exchange.target = `${home.group}/${home.name}`
  if (kind === 'tool' || kind === 'prompt') exchange.subject = homeName
}

type Arranged = {
  readonly args: { readonly arguments?: JsonObject }
  readonly patches: readonly Patch[]
  /** Why the arguments are not taken. */
  readonly refusal?: string
}

function arranged(item: Item, params: JsonObject, bytes: Buffer): Arranged {
  if (item.arguments === undefined) return { args: {}, patches: [] }
  const given = isObject(params.arguments) ? params.arguments : {}
  const found = arrange(item.arguments, given)
  if (typeof found === 'string') return { args: {}, patches: [], refusal: found }
  return { args: { arguments: found.arguments }, patches: arrangePatches(bytes, found) }
}

function renaming(
  { own, name, kind }: Item,
  { row, params }: ItemAim,
  bytes: Buffer,
): { params: JsonObject; patches: Patch[] } {
  if (own === name || (kind !== 'tool' && kind !== 'prompt')) return { params: {}, patches: [] }
  const isRef = row.subject === 'ref'
  const span = spanAt(bytes, isRef ? ['params', 'ref', 'name'] : ['params', 'name'])
  const ref = isObject(params.ref) ? params.ref : {}
  return {
    params: isRef ? { ref: { ...ref, name: own } } : { name: own },
    patches: span === undefined ? [] : [{ span, text: JSON.stringify(own) }],
  }
}
