/** Steps "aim" and "clear" where several servers stand behind one address: which of them is meant, and whether this caller may. */
import type { Action } from '../access/index.ts'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject, type Patch, spanAt } from '../foundation/json.ts'
import { arrangePatches, type ComposedServer, everythingId, type Item, judgeItem } from '../servers/index.ts'
import {
  type Aim,
  type Aimed,
  type ClearParts,
  circumstancesOf,
  equip,
  mayUse,
  refusalOf,
  shown,
} from './clear.ts'
import type { Exchange } from './exchange.ts'

type ItemAim = Aim & {
  readonly upstream: ComposedServer
  readonly action: Action
  readonly subject: string | undefined
}

/** Clears the caller for one thing of a composed server. Throws `access.*` and `servers.argument_refused`. */
export async function clearItem(parts: ClearParts, exchange: Exchange, aim: ItemAim): Promise<Aimed> {
  const { principal, upstream, action, subject, params } = aim
  if (!mayUse(parts.access, principal, upstream)) fail('access.not_found')
  if (params.task !== undefined) fail('mcp.invalid_params', { why: 'Nothing of this server runs as a task.' })
  const judged = judgeItem(parts, upstream, {
    caller: principal,
    action,
    subject,
    isReference: aim.row.subject === 'ref',
    arguments: isObject(params.arguments) ? params.arguments : {},
    circumstances: circumstancesOf(exchange, params),
  })
  const { item, arranged, refusal } = judged
  if (item !== undefined) note(exchange, upstream, item)
  exchange.decision = shown(judged.decision)
  if (refusal !== undefined || item === undefined) throw refusalOf(refusal ?? { code: 'absent' }, aim)
  const bytes = aim.bytes ?? Buffer.alloc(0)
  const renamed = renaming(item, aim, bytes)
  const sent = arranged === undefined ? params : { ...params, arguments: arranged.arguments }
  return {
    equipped: await equip(parts, exchange, { upstream: item.source, principal }),
    params: { ...sent, ...renamed.params },
    patches: [...(arranged === undefined ? [] : arrangePatches(bytes, arranged)), ...renamed.patches],
  }
}

// What was asked for under one address is of another server; the audit has both.
function note(exchange: Exchange, { id }: ComposedServer, { source, own, home, homeName, kind }: Item): void {
  exchange.detail = { source: `${source.group}/${source.name}`, name: own }
  if (id !== everythingId) return
  exchange.target = `${home.group}/${home.name}`
  if (kind === 'tool' || kind === 'prompt') exchange.subject = homeName
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
