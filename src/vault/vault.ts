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
import { alone, beside, type OwnHeaders } from './client-headers.ts'
import type { Links } from './connect/link.ts'
import type { Custody, Opened } from './credentials/custody.ts'
import { derivedKeks, type Keks, type Sealer, sealer } from './seal.ts'
import { sealValue, type Wanted } from './seal-value.ts'
import { authTypeOf, openAuth, openEnvironment, openSealing } from './sealing.ts'

export type Seals = Sealing & {
  /** Sealing for what other rooms keep. */
  readonly seals: Sealer
  /** Seals a secret that another room keeps, with what a manifest shows of it. Throws `vault.secret_missing`. */
  sealSecret(wanted: Wanted): SealedValue
}

export type Equip = {
  /**
   * The upstream with what authenticates the gateway to it, or what a client brought for this request. Call it for a caller whom
   * access cleared, and for nobody else. A promise only where the credential is not remembered. Throws `vault.connect_needed`,
   * `vault.provider_trouble` and `vault.unsealable`.
   */
  equip(upstream: Upstream, asker: Asker, own?: OwnHeaders): Equipped | Promise<Equipped>
  /** The upstream with what the asker's client brought to authenticate there, and nothing else; undefined where it brought nothing. */
  equipBrought(upstream: Upstream, asker: Asker): Equipped | undefined
}

type SealParts = {
  readonly masterKey: MasterKey
  /** The one that is derived from the master key unless told. */
  readonly keks?: Keks
}

/** Seals secrets of servers and of other rooms under the keys of this instance. */
export function openSeals({ masterKey, keks = derivedKeks(masterKey) }: SealParts): Seals {
  const seals = sealer(keks)
  return { ...openSealing(seals), seals, sealSecret: wanted => sealValue(seals, wanted) }
}

type Prepared = { readonly fixed: Credentials } | { readonly opened: Opened }

/** Equips requests: with what is the same for everybody, or what its owner has at the server. */
export function openEquip(
  seals: Sealer,
  custody: Custody,
  withLink: Links['withLink'],
): Equip & {
  /** The server, opened; undefined for one that needs no account of anybody. Throws `vault.unsealable`. */
  opened(upstream: Upstream): Opened | undefined
} {
  // A changed server is another object, so what was opened for the old one goes with it.
  const prepared = new WeakMap<Upstream, Prepared>()
  const prepare = (upstream: Upstream): Prepared => {
    const known = prepared.get(upstream)
    if (known !== undefined) {
      // What was opened before is not used while its key is away.
      if ('opened' in known || Object.keys(upstream.auth.secrets).length > 0) seals.checkOpen()
      return known
    }
    const made = prepareNow(seals, upstream)
    prepared.set(upstream, made)
    return made
  }
  type With = { readonly credentials: Credentials; readonly own: OwnHeaders | undefined }
  const marked = (upstream: Upstream, { id }: Asker, parts: With) =>
    markEquipped({ upstream, principalId: id, ...parts })
  return {
    opened(upstream) {
      const ready = prepare(upstream)
      return 'opened' in ready ? ready.opened : undefined
    },
    equipBrought(upstream, asker) {
      const own = asker.brought?.get(upstream.id)
      return own?.isAuthentication === true
        ? marked(upstream, asker, { credentials: alone(own), own })
        : undefined
    },
    equip(upstream, asker, own) {
      if (own?.isAuthentication === true) return marked(upstream, asker, { credentials: alone(own), own })
      const ready = prepare(upstream)
      const equipped = (credentials: Credentials) =>
        marked(upstream, asker, {
          credentials: own === undefined ? credentials : beside(own, credentials),
          own,
        })
      if ('fixed' in ready) return equipped(ready.fixed)
      const live = custody.live(ready.opened, asker)
      if (!(live instanceof Promise)) return equipped(live)
      return live.then(equipped, (error: unknown) => {
        throw withLink(error, upstream, asker)
      })
    },
  }
}

function prepareNow(seals: Sealer, upstream: Upstream): Prepared {
  const { id, auth, transport } = upstream
  const type = authTypeOf(auth.kind)
  const written = openAuth(seals, id, auth)
  const own = () => (transport.kind === 'stdio' ? openEnvironment(seals, id, transport.env) : {})
  const stored = type.stored?.(written)
  if (stored !== undefined) return { opened: { upstream, stored, environment: own } }
  const headers = Object.entries(type.headers?.(written) ?? {}).flat()
  return { fixed: { headers, environment: own, sign: type.sign?.(written) } }
}
