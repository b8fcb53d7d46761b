/** What the database knows of somebody whom claims describe, and what follows from it. */
import type { Room } from '../room.ts'
import { scimUsers } from '../scim/scim-table.ts'
import { type From, type User, userByEmail, userById } from '../table.ts'
import { type Admission, admission, type Facts, type Person } from './admission.ts'
import { boundOf } from './bounds.ts'
import type { Said } from './claims.ts'
import type { IdentityProvider } from './provider.ts'
import { type Linked, linkedIdentitiesOf, linkedIdentity, updateLinked } from './provider-table.ts'
import { type TeamChanges, teamChanges } from './team-changes.ts'

/** How old a note of the last use may get before it is written again. */
const noteMilliseconds = 3_600_000

type Asked = {
  readonly provider: IdentityProvider
  readonly said: Said
  readonly via: 'sign-in' | 'bearer'
}

export type Look = Pick<Asked, 'provider' | 'said'> & {
  readonly admission: Admission
  readonly linked: Linked | undefined
  readonly teams: TeamChanges
}

export type SettledLook = Look & { readonly admission: { readonly act: 'none'; readonly user: Person } }

/** Is everything as the claims say, so that there is nothing to write? */
export function isSettled(look: Look): look is SettledLook {
  const { admission, teams } = look
  if (!('act' in admission) || admission.act !== 'none' || admission.email !== undefined) return false
  return teams.added.length === 0 && teams.removed.length === 0
}

export async function lookUp(from: From, { provider, said, via }: Asked): Promise<Look> {
  const linked = await linkedIdentity(from, provider.issuer, said.subject)
  const user = linked && (await userById(from, linked.user_id))
  const known = admission(provider, said, {
    linked: user && (await personOf(from, user)),
    provisioned: linked === undefined ? await provisionedOf(from, provider, said) : undefined,
    holder: await holderOf(from, provider, said),
  })
  const admitted = via === 'bearer' ? withoutRenaming(known) : known
  const userId = 'act' in admitted && admitted.act !== 'create' ? admitted.user.id : undefined
  return {
    provider,
    said,
    linked,
    admission: admitted,
    teams: await teamChanges(from, provider, said, userId),
  }
}

/** A new address is taken over when somebody signs in, not with each of their tokens. */
function withoutRenaming(admitted: Admission): Admission {
  return 'act' in admitted && admitted.act === 'none' ? { act: 'none', user: admitted.user } : admitted
}

async function personOf(from: From, user: User): Promise<Person> {
  return { ...user, isBound: (await boundOf(from, user.provider_id)) !== undefined }
}

/** The external id that a provider keeps for somebody here is its own id of them, which is what its tokens name as the subject. */
async function provisionedOf(
  from: From,
  { id, issuer }: IdentityProvider,
  { subject }: Said,
): Promise<Person | undefined> {
  const [row] = await scimUsers(from, id, { externalId: subject })
  const user = row && (await userById(from, row.user_id))
  if (user === undefined) return undefined
  // Whoever has come in before is who they were then: the id that provisioning writes does not make them another.
  const isLinkedHere = (await linkedIdentitiesOf(from, user.id)).some(each => each.issuer === issuer)
  return isLinkedHere ? undefined : personOf(from, user)
}

async function holderOf(from: From, { issuer }: IdentityProvider, { email }: Said): Promise<Facts['holder']> {
  const user = email === undefined ? undefined : await userByEmail(from, email)
  if (user === undefined) return undefined
  const identities = await linkedIdentitiesOf(from, user.id)
  return { ...(await personOf(from, user)), isLinkedHere: identities.some(each => each.issuer === issuer) }
}

/** Now and then, so that a token in use costs no writing. */
export async function note(room: Room, { provider, said, linked }: Look): Promise<void> {
  const now = room.clock.now()
  const attributes = JSON.stringify(said.attributes)
  if (
    linked === undefined ||
    (linked.attributes_json === attributes && linked.seen_at > now - noteMilliseconds)
  )
    return
  const identity = { issuer: provider.issuer, subject: said.subject }
  await updateLinked(room.database.kysely, identity, { seen_at: now, attributes_json: attributes })
}
