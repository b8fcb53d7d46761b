/** What people of a provider can never get out of. */
import type { Caller, Within } from '../../foundation/route.ts'
import type { From } from '../table.ts'
import { providerById, providerRows } from './provider-table.ts'
import { settingsOf } from './stored.ts'

/** Also of a provider that was removed; undefined where there is none. */
export async function boundOf(from: From, providerId: string | null): Promise<Within | undefined> {
  const row = providerId === null ? undefined : await providerById(from, providerId)
  return row && settingsOf(row).bound
}

/** Tells of a user's provider whether its people may be given anything. */
export async function freeOfBounds(from: From): Promise<(providerId: string | null) => boolean> {
  const rows = await providerRows(from)
  const binding = new Set(rows.filter(row => settingsOf(row).bound !== undefined).map(({ id }) => id))
  return providerId => providerId === null || !binding.has(providerId)
}

/** The caller as the bounds leave them. A team that is a bound is all they are; and nobody within bounds has a role beyond member. */
export function confined(caller: Caller, within: Within | undefined): Caller {
  if (within === undefined) return caller
  const subjects = 'team' in within ? [`team:${within.team}`] : caller.subjects
  return { ...caller, role: 'member', subjects, within }
}
