import type { MasterKey } from '../foundation/master-key.ts'
import {
  type Asker,
  type Credentials,
  type Equipped,
  markEquipped,
  type SealedValue,
  type Sealing,
  type Upstream,
} from '../upstreams/index.ts'
import { type OwnHeaders, withOwn } from './client-headers.ts'
import { derivedKeks, type Keks, type Sealer, sealer } from './seal.ts'
import { sealValue, type Wanted } from './seal-value.ts'
import { authTypeOf, openAuth, openEnvironment, openSealing } from './sealing.ts'

export type Vault = Sealing & {
  /**
   * The upstream with the headers that authenticate the gateway to it. Call it for a caller whom access cleared, and for
   * nobody else. With headers that their client brought, it is for this one request. A promise only where the credential is not remembered. Throws `vault.unsealable`.
   */
  equip(upstream: Upstream, asker: Asker, own?: OwnHeaders): Equipped | Promise<Equipped>
  /** Sealing for what other rooms keep. */
  readonly seals: Sealer
  /** Seals a secret that another room keeps, with what a manifest shows of it. Throws `vault.secret_missing`. */
  sealSecret(wanted: Wanted): SealedValue
}

type Parts = {
  readonly masterKey: MasterKey
  /** The one that is derived from the master key unless told. */
  readonly keks?: Keks
}

/** Opens the vault: secrets of servers stand in the register, sealed under the keys of this instance. */
export function openVault({ masterKey, keks = derivedKeks(masterKey) }: Parts): Vault {
  const seals = sealer(keks)
  // A changed server is another object, so what was opened for the old one goes with it.
  const remembered = new WeakMap<Upstream, Credentials>()
  const credentialsOf = (upstream: Upstream): Credentials => {
    const known = remembered.get(upstream)
    if (known !== undefined) {
      // What was opened before is not used while its key is away.
      if (Object.keys(upstream.auth.secrets).length > 0) seals.checkOpen()
      return known
    }
    const { id, auth, transport } = upstream
    const headers = authTypeOf(auth.kind).headers(openAuth(seals, id, auth))
    const credentials = {
      headers: Object.entries(headers).flat(),
      environment: () => (transport.kind === 'stdio' ? openEnvironment(seals, id, transport.env) : {}),
    }
    remembered.set(upstream, credentials)
    return credentials
  }
  return {
    ...openSealing(seals),
    seals,
    sealSecret: wanted => sealValue(seals, wanted),
    equip(upstream, { id }, own) {
      if (own === undefined)
        return markEquipped({ upstream, principalId: id, credentials: credentialsOf(upstream) })
      const headers = withOwn(own, () => credentialsOf(upstream).headers)
      return markEquipped({
        upstream,
        principalId: id,
        credentials: { headers, environment: () => ({}) },
        own,
      })
    },
  }
}
