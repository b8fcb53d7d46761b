/** What is done where a token says that there are more groups than it tells. */
import type { JsonObject } from '../../foundation/json.ts'
import type { Log } from '../../foundation/log.ts'
import { ProviderTrouble } from './bearer/metadata.ts'
import { hasTeams, type Said, teamsOf } from './claims.ts'
import { presetOf } from './presets/index.ts'
import type { IdentityProvider } from './provider.ts'
import type { Providers } from './store.ts'

export type GroupParts = { readonly log: Log; readonly providers: Pick<Providers, 'clientSecret'> }

/** What was said, with the groups that the provider tells on request. Where it does not, it is as it was: nobody knows. */
export async function withFurtherGroups(
  { log, providers }: GroupParts,
  provider: IdentityProvider,
  said: Said,
  claims: JsonObject,
): Promise<Said> {
  const { furtherGroups } = presetOf(provider.preset)
  if (!said.isOverflowing || !hasTeams(provider) || furtherGroups === undefined) return said
  try {
    const secret = (await providers.clientSecret(provider))?.reveal()
    if (secret === undefined || provider.clientId === undefined)
      throw new ProviderTrouble('The gateway has no client secret there with which it could ask.')
    const groups = await furtherGroups({ provider, claims, secret })
    return { ...said, teams: teamsOf(provider, groups), isOverflowing: false }
  } catch (error) {
    if (!(error instanceof ProviderTrouble)) throw error
    log.warn(
      { provider: provider.name, why: error.message },
      'A token left groups out: teams stay as they are.',
    )
    return said
  }
}
