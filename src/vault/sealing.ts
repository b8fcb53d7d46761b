/** What the register needs of the vault: secrets in what people write about servers, sealed where they stand. */
import { fail } from '../foundation/errors.ts'
import { mapValues } from '../foundation/map-values.ts'
import type { SealedValue, SealedValues, Sealing, SealPlace, StoredAuth } from '../upstreams/index.ts'
import type { Written } from './auth-types/auth-type.ts'
import { authSchema, authTypes } from './auth-types/index.ts'
import type { Sealer } from './seal.ts'
import { placeholderOf, sealValue } from './seal-value.ts'

/** Where a sealed value stands: the same must be named to open it. */
type ContextOf = (serverId: string, name: string) => readonly string[]

/** `headers.Authorization` is the header of that name, everything else a member of the auth kind. */
export const authContext: ContextOf = (serverId, name) => {
  const [group = '', ...rest] = name.split('.')
  return rest.length === 0
    ? ['servers', serverId, 'auth', group]
    : ['servers', serverId, `auth.${group}`, rest.join('.')]
}
export const environmentContext: ContextOf = (serverId, name) => ['servers', serverId, 'transport.env', name]

/** Members of auth kinds whose values are asked by the gateway itself. */
const addressMembers = ['issuer', 'authorizationUrl', 'tokenUrl', 'registrationUrl', 'revocationUrl']

export function openSealing(seals: Sealer): Sealing {
  const sealOne = (place: SealPlace, contextOf: ContextOf, before: SealedValues | undefined) => {
    return (text: string, name: string): SealedValue =>
      sealValue(seals, {
        name: name.slice(name.indexOf('.') + 1),
        text,
        placeholder: placeholderOf(name.slice(name.indexOf('.') + 1), place),
        secrets: place.secrets,
        context: contextOf(place.serverId, name),
        previous: before?.[name],
      })
  }
  return {
    authSchema,
    sealAuth(auth, place, previous) {
      const parsed = authSchema.safeParse(auth)
      if (!parsed.success) return fail('http.bad_request', { why: reasons(parsed.error.issues) })
      const type = authTypeOf(parsed.data.kind)
      if (!type.over.includes(place.transport)) refuseOver(place.transport, type.kind)
      if (type.needsOwnProcess === true && place.isOwnProcess !== true) refuseShared()
      const { settings, secrets } = type.apart(parsed.data)
      const isSame = previous?.kind === type.kind && goesTo(previous.settings) === goesTo(settings)
      const before = isSame ? previous.secrets : undefined
      const stored: StoredAuth = {
        kind: type.kind,
        settings,
        secrets: mapValues(secrets, sealOne(place, authContext, before)),
      }
      // Opening what was just sealed holds the new values to the same rules as every request later.
      const opened = openAuth(seals, place.serverId, stored)
      type.headers?.(opened)
      type.sign?.(opened)
      type.stored?.(opened)
      return stored
    },
    isForAdmins: kind => authTypes.find(kind)?.isForAdmins === true,
    leadsTo: ({ settings }) =>
      addressMembers.map(member => settings[member]).filter(each => typeof each === 'string'),
    showAuth: stored =>
      authTypeOf(stored.kind).together({
        settings: stored.settings,
        secrets: mapValues(stored.secrets, ({ text }) => text),
      }),
    sealEnvironment: (environment, place, previous) =>
      mapValues(environment, sealOne(place, environmentContext, previous)),
  }
}

/** Throws `vault.unsealable`. */
export function openAuth(seals: Sealer, serverId: string, { settings, secrets }: StoredAuth): Written {
  return {
    settings,
    secrets: mapValues(secrets, ({ sealed }, name) => seals.open(sealed, authContext(serverId, name))),
  }
}

/** Throws `vault.unsealable`. */
export function openEnvironment(
  seals: Sealer,
  serverId: string,
  environment: SealedValues,
): Readonly<Record<string, string>> {
  return mapValues(environment, ({ sealed }, name) => seals.open(sealed, environmentContext(serverId, name)))
}

export function authTypeOf(kind: string) {
  return authTypes.find(kind) ?? fail('http.bad_request', { why: `There is no auth kind ${kind}.` })
}

function refuseOver(transport: string, kind: string): never {
  if (transport === 'stdio')
    fail('http.bad_request', {
      why: `A stdio server cannot be authenticated to with ${kind}; give it its secrets in transport.env.`,
    })
  return fail('http.bad_request', {
    why: `The auth kind ${kind} does not go with the transport ${transport}.`,
  })
}

/** Secrets that were given for one authorization server are not carried over to another. */
function goesTo({ issuer, tokenUrl, revocationUrl }: Written['settings']): string {
  return JSON.stringify([issuer ?? null, tokenUrl ?? null, revocationUrl ?? null])
}

function refuseShared(): never {
  return fail('http.bad_request', {
    why: 'A process that everybody shares cannot have variables of each user.',
    fix: 'Set instance: per-user in its transport.',
  })
}

function reasons(issues: readonly { path: PropertyKey[]; message: string }[]): string {
  return issues.map(({ path, message }) => `${['auth', ...path].join('.')}: ${message}`).join('; ')
}
