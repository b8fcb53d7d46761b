/** What people of a provider can never get out of. */
import type { From } from '../table.ts'
import type { Bound } from './provider.ts'
import { providerById } from './provider-table.ts'
import { settingsOf } from './store.ts'

/** Also of a provider that was removed; undefined where there is none. */
export async function boundOf(from: From, providerId: string | null): Promise<Bound | undefined> {
  const row = providerId === null ? undefined : await providerById(from, providerId)
  return row && settingsOf(row).bound
}
