/** The scope of a statement: which principals, actions and resources it is about, decided without Cedar. */
import type { Action } from '../actions.ts'
import type { PolicyJson, TypeAndId } from './cedar.ts'

/** An entity and everything it is in, itself included, as `Type::id`. */
export type Placed = { readonly type: string; readonly within: ReadonlySet<string> }

type End =
  | { readonly op: 'All' }
  | { readonly op: '==' | 'in'; readonly key: string; readonly type: string }
  | { readonly op: 'is'; readonly type: string; readonly in: string | undefined }

export type Reach = {
  readonly principal: End
  /** Undefined: all. */
  readonly actions: ReadonlySet<string> | undefined
  readonly resource: End
  /** Every entity that is named. */
  readonly named: readonly TypeAndId[]
}

export function keyOf({ type, id }: TypeAndId): string {
  return `${type}::${id}`
}

type Written = PolicyJson['principal'] | PolicyJson['resource']

export function reachOf({ principal, action, resource }: PolicyJson): Reach {
  const named: TypeAndId[] = []
  const end = (written: Written): End => {
    if (written.op === 'All') return written
    if (written.op === 'is') {
      const inner = written.in === undefined ? undefined : uidOf(written.in)
      if (inner !== undefined) named.push(inner)
      return { op: 'is', type: written.entity_type, in: inner && keyOf(inner) }
    }
    const uid = uidOf(written)
    named.push(uid)
    return { op: written.op, key: keyOf(uid), type: uid.type }
  }
  const actions = actionUids(action)
  named.push(...actions)
  return { principal: end(principal), actions: actionsOf(action, actions), resource: end(resource), named }
}

function actionUids(action: PolicyJson['action']): TypeAndId[] {
  if (action.op === 'All') return []
  return 'entities' in action ? action.entities.map(plainUid) : [uidOf(action)]
}

function actionsOf(action: PolicyJson['action'], uids: readonly TypeAndId[]): Reach['actions'] {
  if (action.op === 'All') return undefined
  const ids = new Set(uids.map(uid => uid.id))
  // The group of all actions.
  return action.op === 'in' && ids.has('use') ? undefined : ids
}

// A slot stands in templates only, and those are refused before.
function uidOf(written: { entity: Parameters<typeof plainUid>[0] } | { slot: string }): TypeAndId {
  return 'entity' in written ? plainUid(written.entity) : { type: '?', id: written.slot }
}

function plainUid(uid: TypeAndId | { __entity: TypeAndId }): TypeAndId {
  return '__entity' in uid ? uid.__entity : uid
}

function holds(end: End, { type, within }: Placed, self: string): boolean {
  switch (end.op) {
    case 'All':
      return true
    case '==':
      return end.key === self
    case 'in':
      return within.has(end.key)
    case 'is':
      return end.type === type && (end.in === undefined || within.has(end.in))
  }
}

export function reachesPrincipal({ principal }: Reach, placed: Placed & { readonly self: string }): boolean {
  return holds(principal, placed, placed.self)
}

export function reachesAction({ actions }: Reach, action: Action): boolean {
  return actions === undefined || actions.has(action)
}

export function reachesResource({ resource }: Reach, placed: Placed & { readonly self: string }): boolean {
  return holds(resource, placed, placed.self)
}

/** Is it about all things of this type below the server, about some of them, or about none? */
export function reachesWithin(
  { resource }: Reach,
  { type, server, above }: { type: string; server: string; above: ReadonlySet<string> },
): 'all' | 'some' | 'none' {
  if (resource.op === 'All') return 'all'
  if (resource.op === 'is' && resource.type !== type) return 'none'
  const key = resource.op === 'is' ? resource.in : resource.key
  if (key === undefined) return 'all'
  if (resource.op !== '==' && above.has(key)) return 'all'
  return key.startsWith(`${type}::${server}/`) ? 'some' : 'none'
}

/** Is it about anything of the group? */
export function reachesGroup({ resource }: Reach, group: string): boolean {
  const key = resource.op === 'All' ? undefined : resource.op === 'is' ? resource.in : resource.key
  if (key === undefined || key === `Group::${group}`) return true
  return key.slice(key.indexOf('::') + 2).startsWith(`${group}/`)
}
