/** Who somebody with these claims is here: one pure rule for sign-in and for bearer tokens. */
import { hash } from 'node:crypto'
import type { User } from '../table.ts'
import type { Said } from './claims.ts'
import type { IdentityProvider } from './provider.ts'

/** A user with what decides whether claims may be about them. */
export type Person = Pick<User, 'id' | 'email' | 'disabled_at' | 'provider_id'> & {
  /** Do the people of their provider stay within something? */
  readonly isBound: boolean
}

export type Facts = {
  /** Whom this subject of this issuer is linked to. */
  readonly linked: Person | undefined
  /** Whom the provider provisioned under this subject as their id with it. */
  readonly provisioned: Person | undefined
  /** Who has the address. */
  readonly holder:
    | (Person & { /** Of this issuer, as somebody else. */ readonly isLinkedHere: boolean })
    | undefined
}

export type Admission =
  | { readonly refused: string }
  | { readonly act: 'none'; readonly user: Person /** To be theirs from now on. */; readonly email?: string }
  | { readonly act: 'link'; readonly user: Person }
  | { readonly act: 'create'; readonly email: string }

const refuse = (refused: string): Admission => ({ refused })

export function admission(
  provider: IdentityProvider,
  said: Said,
  { linked, provisioned, holder }: Facts,
): Admission {
  if (linked !== undefined) {
    const why = objectionTo(provider, linked)
    if (why !== undefined) return refuse(why)
    const isNew = said.isEmailTheirs && said.email !== undefined && said.email !== linked.email
    return isNew && holder === undefined
      ? { act: 'none', user: linked, email: said.email ?? linked.email }
      : { act: 'none', user: linked }
  }
  if (provisioned !== undefined) {
    const why = objectionTo(provider, provisioned)
    return why === undefined ? { act: 'link', user: provisioned } : refuse(why)
  }
  const isAddressTaken = holder !== undefined && said.isEmailTheirs
  if (isAddressTaken) return linking(provider, holder)
  if (provider.provisioning === 'invited')
    return refuse(said.isEmailTheirs ? `Nobody here has the address ${said.email}.` : said.whyNotTheirs)
  if (said.isEmailTheirs && said.email !== undefined) return { act: 'create', email: said.email }
  // Of people who stay within bounds the address is a name for reading only; of others it is what grants call them.
  return provider.bound === undefined
    ? refuse(said.whyNotTheirs)
    : { act: 'create', email: inventedAddress(provider, said) }
}

function linking(provider: IdentityProvider, holder: NonNullable<Facts['holder']>): Admission {
  // It may have provisioned them before they came.
  const isOwn = holder.provider_id === provider.id
  if (!isOwn && (provider.bound !== undefined || holder.isBound))
    return refuse(`${holder.email} is somebody already whom ${provider.name} may not speak for.`)
  if (holder.isLinkedHere) return refuse(`${holder.email} is known to ${provider.name} as another subject.`)
  const why = objectionTo(provider, holder)
  return why === undefined ? { act: 'link', user: holder } : refuse(why)
}

/** Whoever stays within bounds comes by their own provider only, and nobody else comes by a bound one. */
function objectionTo(provider: IdentityProvider, person: Person): string | undefined {
  if (person.disabled_at !== null) return 'The user is disabled.'
  const isBound = person.isBound || provider.bound !== undefined
  if (!isBound || person.provider_id === provider.id) return undefined
  return `${person.email} is none of the people of ${provider.name}.`
}

/** An address that nobody can have: a name for people, stable and unlike any other. */
export function inventedAddress(
  { name, issuer }: Pick<IdentityProvider, 'name' | 'issuer'>,
  said: Pick<Said, 'subject' | 'email'>,
): string {
  const readable = (said.email?.split('@')[0] ?? said.subject).toLowerCase().replace(/[^a-z0-9]+/g, '-')
  const mark = hash('sha256', JSON.stringify([issuer, said.subject]), 'hex').slice(0, 12)
  return `${readable.replace(/^-|-$/g, '').slice(0, 40) || 'subject'}.${mark}@${name}.invalid`
}
