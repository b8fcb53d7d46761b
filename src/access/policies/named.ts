/** Do the teams, accounts, groups, servers and tools that a statement names exist? */
import { nearest } from '../../foundation/nearest.ts'
import type { TypeAndId } from './cedar.ts'
import type { Names, Offer } from './offers.ts'
import { actionNames } from './schema.ts'

export type Stranger = {
  readonly uid: TypeAndId
  readonly why: string
  readonly fix: string
  readonly isWarning: boolean
}

/** What is wrong with a name; undefined when nothing is. A user may be named before they first sign in. */
export function strangerOf(uid: TypeAndId, names: Names): Stranger | undefined {
  switch (uid.type) {
    case 'Action':
      return unknown(uid, `action ${uid.id}`, uid.id, actionNames)
    case 'Team':
      return unknown(uid, `team ${uid.id}`, uid.id, names.teams)
    case 'Account':
      return unknown(uid, `virtual account ${uid.id}`, uid.id, names.accounts)
    case 'Group':
      return unknown(uid, `group ${uid.id}`, uid.id, names.groups)
    case 'Server':
      return unknown(uid, `server ${uid.id}`, uid.id, places(names))
    case 'Tool':
    case 'Resource':
    case 'Prompt':
      return item(uid, names)
    default:
      return undefined
  }
}

function item(uid: TypeAndId, names: Names): Stranger | undefined {
  const [group = '', server = '', ...rest] = uid.id.split('/')
  const place = `${group}/${server}`
  const all = places(names)
  if (!all.has(place)) {
    const meant = nearest(place, all)
    const fix =
      meant === undefined
        ? `Write ${uid.type}::"group/server/${uid.type === 'Resource' ? 'uri' : 'name'}".`
        : `Did you mean ${uid.type}::"${[meant, ...rest].join('/')}"?`
    return { uid, why: `There is no server ${place}.`, fix, isWarning: false }
  }
  if (uid.type !== 'Tool') return undefined
  const name = rest.join('/')
  const tools = names.offers.find(offer => placeOf(offer) === place)?.tools
  if (tools?.some(tool => tool.name === name)) return undefined
  if (tools !== undefined)
    return unknown(uid, `tool ${name} in ${place}`, name, new Set(tools.map(tool => tool.name)))
  const why = `Whether ${place} has a tool ${name} is not known, because it was never read.`
  return { uid, why, fix: `Read it with: gatehouse server test ${place}.`, isWarning: true }
}

function unknown(
  uid: TypeAndId,
  what: string,
  name: string,
  known: ReadonlySet<string>,
): Stranger | undefined {
  if (known.has(name)) return undefined
  const meant = nearest(name, known)
  const fix = meant === undefined ? 'Correct the name, or add it first.' : `Did you mean ${meant}?`
  return { uid, why: `There is no ${what}.`, fix, isWarning: false }
}

function places({ offers }: Names): Set<string> {
  return new Set(offers.map(placeOf))
}

function placeOf({ group, server }: Offer): string {
  return `${group}/${server}`
}
