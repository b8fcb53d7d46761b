import { fail } from '../foundation/errors.ts'
import { mapValues } from '../foundation/map-values.ts'
import type { MasterKey } from '../foundation/master-key.ts'
import {
  type Equipped,
  markEquipped,
  type SealedValue,
  type SealedValues,
  type Sealing,
  type SealPlace,
  type Upstream,
} from '../upstreams/index.ts'
import { authSchema, authTypes } from './auth-types/index.ts'
import { type Sealer, sealer } from './seal.ts'
import { placeholderOf, sealValue, type Wanted } from './seal-value.ts'

export type Vault = Sealing & {
  /**
   * The upstream with the headers that authenticate the gateway to it. Call it for a caller whom access cleared, and for
   * nobody else. Throws `vault.unsealable`.
   */
  equip(upstream: Upstream, principalId: string): Equipped
  /** Sealing for what other rooms keep. */
  readonly seals: Sealer
  /** Seals a secret that another room keeps, with what a manifest shows of it. Throws `vault.secret_missing`. */
  sealSecret(wanted: Wanted): SealedValue
}

/** Opens the vault: everything it keeps stands in the register, sealed under the master key of this instance. */
export function openVault({ masterKey }: { masterKey: MasterKey }): Vault {
  const seals = sealer(masterKey)
  // A changed server is another object, so what was opened for the old one goes with it.
  const remembered = new WeakMap<Upstream, Equipment>()
  const equipmentOf = (upstream: Upstream): Equipment => {
    const known = remembered.get(upstream)
    if (known !== undefined) return known
    const headers = headersOf(seals, upstream)
    const equipment = { upstream, headers, environment: () => environmentOf(seals, upstream) }
    remembered.set(upstream, equipment)
    return equipment
  }
  return {
    ...sealing(seals),
    seals,
    sealSecret: wanted => sealValue(seals, wanted),
    equip: (upstream, principalId) => markEquipped({ ...equipmentOf(upstream), principalId }),
  }
}

type Equipment = Pick<Equipped, 'upstream' | 'headers' | 'environment'>

function sealing(seals: Sealer): Sealing {
  const sealOne =
    (place: SealPlace, contextOf: ContextOf, before: SealedValues | undefined) =>
    (name: string, text: string) =>
      sealValue(seals, {
        name,
        text,
        placeholder: placeholderOf(name, place),
        secrets: place.secrets,
        context: contextOf(place.serverId, name),
        previous: before?.[name],
      })
  return {
    authSchema,
    sealAuth(auth, place, previous) {
      const parsed = authSchema.safeParse(auth)
      if (!parsed.success) return fail('http.bad_request', { why: reasons(parsed.error.issues) })
      const type = typeOf(parsed.data.kind)
      const before = previous?.kind === 'headers' ? previous.headers : undefined
      const stored = type.seal(parsed.data, sealOne(place, headerContext, before))
      // Opening what was just sealed holds the new values to the same rules as every request later.
      type.headers(stored, openOne(seals, place.serverId, headerContext))
      return stored
    },
    sealEnvironment: (environment, place, previous) =>
      mapValues(environment, (text, name) => sealOne(place, environmentContext, previous)(name, text)),
  }
}

type ContextOf = (serverId: string, name: string) => readonly string[]
const headerContext: ContextOf = (serverId, name) => ['servers', serverId, 'auth.headers', name]
const environmentContext: ContextOf = (serverId, name) => ['servers', serverId, 'transport.env', name]

function openOne(seals: Sealer, serverId: string, contextOf: ContextOf) {
  return (name: string, value: SealedValue) => seals.open(value.sealed, contextOf(serverId, name))
}

function headersOf(seals: Sealer, { id, auth }: Upstream): readonly string[] {
  return Object.entries(typeOf(auth.kind).headers(auth, openOne(seals, id, headerContext))).flat()
}

function environmentOf(seals: Sealer, { id, transport }: Upstream): Readonly<Record<string, string>> {
  if (transport.kind !== 'stdio') return {}
  const open = openOne(seals, id, environmentContext)
  return mapValues(transport.env, (value, name) => open(name, value))
}

function typeOf(kind: string) {
  return authTypes.find(kind) ?? fail('http.bad_request', { why: `There is no auth kind ${kind}.` })
}

function reasons(issues: readonly { path: PropertyKey[]; message: string }[]): string {
  return issues.map(({ path, message }) => `${['auth', ...path].join('.')}: ${message}`).join('; ')
}
