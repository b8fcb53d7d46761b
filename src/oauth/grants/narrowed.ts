/** Scopes out of scopes: as much or less, and never more. */
import type { Resource } from '../resources.ts'
import type { GrantParts } from './grant-parts.ts'

type Narrowing = {
  /** Undefined for as much as there is. */
  readonly wanted: readonly string[] | undefined
  /** Undefined for everything. */
  readonly held: readonly string[] | undefined
  readonly resource: Resource
}

/** The scopes that are wanted, if those that are held cover each. Throws `invalid_scope`. */
export function narrowed(
  { errors }: Pick<GrantParts, 'errors'>,
  { wanted, held, resource }: Narrowing,
): readonly string[] {
  if (held === undefined) return wanted ?? ['mcp:use']
  if (wanted === undefined) return held
  const tooMuch = wanted.find(scope => !held.some(each => covers(each, scope, resource)))
  if (tooMuch !== undefined) throw new errors.InvalidScope('it is more than there is to give', tooMuch)
  return wanted
}

/** Does this scope allow all that the other does, at the resource? */
export function covers(held: string, wanted: string, { server }: Pick<Resource, 'server'>): boolean {
  const [, mayDo, heldAt] = held.split(':')
  const [, wouldDo, wantedAt = server && `${server.group}/${server.name}`] = wanted.split(':')
  if (mayDo !== 'use' && mayDo !== wouldDo) return false
  return heldAt === undefined || heldAt === wantedAt
}
