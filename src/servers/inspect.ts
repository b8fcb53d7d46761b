/** Who may know of a virtual server, and who may read its definition. */
import { z } from 'zod'
import { type Access, seesAll } from '../access/index.ts'
import { fail } from '../foundation/errors.ts'
import type { Caller } from '../foundation/route.ts'
import type { ChangeParts } from './changes.ts'
import type { StoredVirtual } from './table.ts'

export type InspectParts = ChangeParts & { find(place: string): StoredVirtual | undefined }

export const placeParams = z.object({ group: z.string(), server: z.string() })
type PlaceParams = z.infer<typeof placeParams>

export function sees(access: Access, caller: Caller, { group, name, published }: StoredVirtual): boolean {
  const policy = { default: 'allow', allow: [], deny: [] } as const
  const mayUse = () => access.clear(caller, 'server.use', { group, server: name, policy }).allowed
  return seesAll(caller) || access.isManager(caller, group) || (published !== undefined && mayUse())
}

/** The virtual server, for a caller who may read its definition. Throws `access.not_found` and `identity.forbidden`. */
export function inspected(
  { access, find }: Pick<InspectParts, 'access' | 'find'>,
  caller: Caller,
  { group, server }: PlaceParams,
) {
  const found = find(`${group}/${server}`)
  const may = seesAll(caller) || access.isManager(caller, group)
  if (found === undefined || !sees(access, caller, found)) return fail('access.not_found')
  return may ? found : fail('identity.forbidden', { why: `You are no manager of the group ${group}.` })
}
