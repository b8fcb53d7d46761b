/** Callers and targets as Cedar knows them. */
import type { Caller } from '../../foundation/route.ts'
import type { Action } from '../actions.ts'
import type { Target } from '../decide.ts'
import type { EntityJson, TypeAndId } from './cedar.ts'
import { keyOf, type Placed } from './reach.ts'

export type Someone = Placed & { readonly self: string; readonly uid: TypeAndId; readonly entity: EntityJson }

const known = new WeakMap<Caller, Someone>()

export function someone(caller: Caller): Someone {
  const before = known.get(caller)
  if (before !== undefined) return before
  const made = caller.kind === 'account' ? accountOf(caller) : userOf(caller)
  known.set(caller, made)
  return made
}

function accountOf({ name }: Caller): Someone {
  const uid = { type: 'Account', id: name }
  return placed({ uid, attrs: { name }, parents: [] })
}

function userOf({ name, role, subjects }: Caller): Someone {
  const uid = { type: 'User', id: name }
  const teams = subjects.filter(subject => subject.startsWith('team:')).map(subject => subject.slice(5))
  const parents = teams.map(id => ({ type: 'Team', id }))
  return placed({ uid, attrs: { email: name, role, teams }, parents })
}

function placed(entity: EntityJson & { uid: TypeAndId; parents: TypeAndId[] }): Someone {
  const { uid, parents } = entity
  const self = keyOf(uid)
  return { type: uid.type, self, within: new Set([self, ...parents.map(keyOf)]), uid, entity }
}

/** What each action on a thing of a server is about. The other actions are about the server itself. */
export const itemTypes: Readonly<Partial<Record<Action, string>>> = {
  'tool.call': 'Tool',
  'resource.read': 'Resource',
  'prompt.get': 'Prompt',
}

/** `Server::...` and `Group::...`, which everything of a server is in. */
export function above({ group, server }: Target): { server: string; keys: ReadonlySet<string> } {
  const place = `${group}/${server}`
  return { server: place, keys: new Set([`Server::${place}`, `Group::${group}`]) }
}

/** The thing an action is about; undefined where it is about a thing of the server that is not named. */
export function thing(action: Action, target: Target): Someone | undefined {
  const { group, server, tool } = target
  const place = `${group}/${server}`
  const inGroup = { type: 'Group', id: group }
  const inServer = { type: 'Server', id: place }
  const type = itemTypes[action]
  if (type === undefined) return placed({ uid: inServer, attrs: { name: server }, parents: [inGroup] })
  const parents = [inServer, inGroup]
  if (type === 'Tool') {
    if (tool === undefined) return undefined
    const { readOnly, idempotent = false } = tool
    const name = tool.name.toWellFormed()
    return placed({ uid: { type, id: `${place}/${name}` }, attrs: { name, readOnly, idempotent }, parents })
  }
  // Clients choose names, and Cedar takes Unicode only.
  const subject = target.subject?.toWellFormed()
  if (subject === undefined) return undefined
  const attrs: EntityJson['attrs'] = type === 'Resource' ? { uri: subject } : { name: subject }
  return placed({ uid: { type, id: `${place}/${subject}` }, attrs, parents })
}

const group = { type: 'Action', id: 'use' }

export function actionEntity(action: Action): { uid: TypeAndId; entity: EntityJson } {
  const uid = { type: 'Action', id: action }
  return { uid, entity: { uid, attrs: {}, parents: [group] } }
}
