import type { Asker } from '../../upstreams/index.ts'
import type { OnBehalfOf } from '../on-behalf/open.ts'
import type { Credential } from './credential.ts'
import type { Opened } from './custody.ts'
import { connectNeeded } from './needed.ts'
import { type Renewing, type RenewParts, refreshed } from './renew.ts'

type Again = { readonly opened: Opened; readonly asker: Asker; readonly credential: Credential }

/** How a credential is got again: with what the asker brought or left, or by its refresh token. */
export function againFor(
  parts: RenewParts & { readonly onBehalf: OnBehalfOf },
  { opened, asker, credential }: Again,
): Pick<Renewing, 'again' | 'refusedAs'> {
  const { upstream, stored: way } = opened
  const { oauth: settings, onBehalf } = way
  if (onBehalf !== undefined)
    return { again: () => parts.onBehalf.obtain(opened, asker, credential), refusedAs: 'sign-in' }
  return {
    async again(content) {
      if (settings === undefined) throw connectNeeded(upstream, 'refused')
      return { tokens: await refreshed(parts, { upstream, settings, credential }, content) }
    },
  }
}
