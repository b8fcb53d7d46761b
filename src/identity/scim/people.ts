/** People as an identity provider provisions them: it sees and changes its own, and nobody else. */
import { fail } from '../../foundation/errors.ts'
import { newId } from '../../foundation/id.ts'
import type { JsonObject } from '../../foundation/json.ts'
import { inventedAddress } from '../providers/admission.ts'
import type { IdentityProvider } from '../providers/provider.ts'
import { type By, changeToldAfter, type Room } from '../room.ts'
import { emailSchema } from '../schemas.ts'
import { deleteSessionsOf } from '../sign-in-table.ts'
import { accounts, type From, insertUser, type User, updateUser, userByEmail, userById } from '../table.ts'
import { alterUser, removeUser } from '../users.ts'
import {
  deleteScimUser,
  insertScimUser,
  type ScimUserRow,
  scimUserOf,
  scimUsers,
  updateScimUser,
} from './scim-table.ts'

export type ProvisionedUser = {
  /** The user's id. */
  readonly id: string
  readonly userName: string
  readonly externalId: string | undefined
  readonly email: string
  readonly isActive: boolean
  /** What else it says of them, as it said it. */
  readonly attributes: JsonObject
  readonly version: number
  readonly createdAt: number
  readonly updatedAt: number
}

export type WantedUser = Omit<ProvisionedUser, 'id' | 'version' | 'createdAt' | 'updatedAt'>

/** What a change was made from; it fails with `http.conflict` when that is not so any more. */
export type Known = { readonly id: string; readonly version: number }

/** A group that does not exist and one of another provider are the same. */
export function unknownHere(what: string): never {
  return fail('identity.unknown', { why: `There is no such ${what} of this provider.` })
}

export async function findUser(
  from: From,
  { id: providerId }: IdentityProvider,
  id: string,
): Promise<ScimUserRow> {
  const [row] = await scimUsers(from, providerId, { id })
  return row ?? unknownHere('user')
}

export function asUser(row: ScimUserRow): ProvisionedUser {
  return {
    id: row.user_id,
    userName: row.user_name,
    version: row.version,
    externalId: row.external_id ?? undefined,
    email: row.email,
    isActive: row.disabled_at === null,
    // What our own column holds was an object when it was written.
    attributes: JSON.parse(row.attributes_json),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

export function createUser(
  room: Room,
  provider: IdentityProvider,
  wanted: WantedUser,
  by: By,
): Promise<ProvisionedUser> {
  return changeToldAfter(room, async tx => {
    await checkFree(tx, provider, wanted)
    const now = room.clock.now()
    const email = addressOf(provider, wanted)
    const known = await adoptable(tx, provider, email)
    const userId = known?.id ?? newId(now)
    if (known === undefined)
      await insertUser(tx, {
        id: userId,
        email,
        role: 'member',
        provider_id: provider.id,
        disabled_at: null,
        created_at: now,
      })
    await insertScimUser(tx, {
      user_id: userId,
      provider_id: provider.id,
      ...columnsOf(wanted),
      version: 1,
      created_at: now,
      updated_at: now,
    })
    await setActive(room, tx, userId, wanted.isActive)
    const detail = {
      provider: provider.name,
      did: known === undefined ? 'create' : 'adopt',
      active: wanted.isActive,
    }
    return {
      answer: asUser(await findUser(tx, provider, userId)),
      act: { ...by, action: 'identity.provision_user', target: `user:${email}`, detail },
    }
  })
}

export function replaceUser(
  room: Room,
  provider: IdentityProvider,
  { id, version, ...wanted }: WantedUser & Known,
  by: By,
): Promise<ProvisionedUser> {
  return changeToldAfter(room, async tx => {
    const before = await findUser(tx, provider, id)
    checkVersion(before, version)
    await checkFree(tx, provider, { ...wanted, id })
    const email = addressOf(provider, wanted)
    if (email !== before.email) await readdress(room, tx, before, email)
    await updateScimUser(tx, id, {
      ...columnsOf(wanted),
      version: version + 1,
      updated_at: room.clock.now(),
    })
    await setActive(room, tx, id, wanted.isActive)
    const detail = {
      provider: provider.name,
      active: wanted.isActive,
      ...(email === before.email ? {} : { before: before.email }),
    }
    return {
      answer: asUser(await findUser(tx, provider, id)),
      act: { ...by, action: 'identity.provision_user', target: `user:${email}`, detail },
    }
  })
}

/** Whoever owns virtual accounts is disabled instead, for these must not be left with nobody who answers for them. */
export async function deprovisionUser(
  room: Room,
  provider: IdentityProvider,
  id: string,
  by: By,
): Promise<void> {
  await changeToldAfter(room, async tx => {
    const { email } = await findUser(tx, provider, id)
    const isOwner = (await accounts(tx)).some(account => account.owner_id === id)
    await deleteScimUser(tx, id)
    if (isOwner) await setActive(room, tx, id, false)
    else await removeUser(room, tx, email)
    const detail = { provider: provider.name, did: isOwner ? 'disable' : 'delete' }
    return {
      answer: undefined,
      act: { ...by, action: 'identity.deprovision_user', target: `user:${email}`, detail },
    }
  })
  for (const namer of room.namers) await namer.refresh()
}

/** Two changes of one resource at the same time: the second must be made of what the first left. */
export function checkVersion(row: { readonly version: number }, version: number): void {
  if (row.version !== version)
    fail('http.conflict', { why: 'It was changed at the same time.', data: { stale: true } })
}

function columnsOf({ userName, externalId, attributes }: WantedUser) {
  return {
    user_name: userName.toLowerCase(),
    external_id: externalId ?? null,
    attributes_json: JSON.stringify(attributes),
  }
}

async function checkFree(
  from: From,
  { id: providerId }: IdentityProvider,
  { id, userName, externalId }: Partial<Pick<ProvisionedUser, 'id'>> & WantedUser,
): Promise<void> {
  const keys = [{ userName: userName.toLowerCase() }, ...(externalId === undefined ? [] : [{ externalId }])]
  for (const key of keys) {
    const others = (await scimUsers(from, providerId, key)).filter(row => row.user_id !== id)
    if (others.length > 0)
      fail('http.conflict', {
        why: `There is a user of this ${Object.keys(key)[0]} already.`,
        fix: 'Update that one.',
      })
  }
}

/** The address here: theirs where the provider may vouch for it; of people within bounds otherwise one that nobody can have. */
function addressOf(provider: IdentityProvider, { email, externalId, userName }: WantedUser): string {
  const parsed = emailSchema.safeParse(email)
  const domain = parsed.data?.split('@')[1] ?? ''
  if (parsed.success && provider.domains.includes(domain)) return parsed.data
  if (provider.bound !== undefined)
    return inventedAddress(provider, { subject: externalId ?? userName, email })
  return fail('http.bad_request', {
    why: parsed.success
      ? `${provider.name} may not vouch for addresses of ${domain}.`
      : 'The user has no e-mail address.',
    fix: `Send an address of a domain that ${provider.name} owns here, or add the domain to the identity provider.`,
  })
}

/** Somebody with this address who may become this provider's to provision. */
async function adoptable(from: From, provider: IdentityProvider, email: string): Promise<User | undefined> {
  const user = await userByEmail(from, email)
  if (user === undefined) return undefined
  const isTheirs = user.provider_id === provider.id
  const isFree = user.provider_id === null && provider.bound === undefined
  if ((isTheirs || isFree) && (await scimUserOf(from, user.id)) === undefined) return user
  return fail('http.conflict', { why: `${email} is somebody here whom ${provider.name} does not provision.` })
}

async function readdress(room: Room, tx: From, before: ScimUserRow, email: string): Promise<void> {
  if ((await userByEmail(tx, email)) !== undefined)
    fail('http.conflict', { why: `${email} is somebody else here.` })
  for (const namer of room.namers) await namer.rename(tx, `user:${before.email}`, `user:${email}`)
  await updateUser(tx, before.user_id, { email })
}

async function setActive(room: Room, tx: From, userId: string, isActive: boolean): Promise<void> {
  const user = await userById(tx, userId)
  if (user === undefined || (user.disabled_at === null) === isActive) return
  await alterUser(tx, user, { disabled_at: isActive ? null : room.clock.now() })
  if (!isActive) await deleteSessionsOf(tx, userId)
}
