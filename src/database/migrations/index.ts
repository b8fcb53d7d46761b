import type { Migration } from 'kysely/migration'
import { first } from './0001-first.ts'
import { toolPins } from './0002-tool-pins.ts'
import { policies } from './0003-policies.ts'
import { virtualServers } from './0004-virtual-servers.ts'
import { signIn } from './0005-sign-in.ts'
import { identityProviders } from './0006-identity-providers.ts'
import { oauth } from './0008-oauth.ts'
import { tokenLifecycle } from './0009-token-lifecycle.ts'
import { scim } from './0010-scim.ts'
import { machines } from './0011-machines.ts'
import { useAndNotices } from './0012-use-and-notices.ts'
import { vaultKeys } from './0013-vault-keys.ts'
import { upstreamCredentials } from './0014-upstream-credentials.ts'
import { providerTokens } from './0015-provider-tokens.ts'
import { keptRegistrations } from './0016-kept-registrations.ts'

/** Every migration, forward only, by the name it is remembered under. Never change one that was released; add one. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-first': first,
  '0002-tool-pins': toolPins,
  '0003-policies': policies,
  '0004-virtual-servers': virtualServers,
  '0005-sign-in': signIn,
  '0006-identity-providers': identityProviders,
  '0008-oauth': oauth,
  '0009-token-lifecycle': tokenLifecycle,
  '0010-scim': scim,
  '0011-machines': machines,
  '0012-use-and-notices': useAndNotices,
  '0013-vault-keys': vaultKeys,
  '0014-upstream-credentials': upstreamCredentials,
  '0015-provider-tokens': providerTokens,
  '0016-kept-registrations': keptRegistrations,
}
