/** Resources as the library speaks them, to people and groups as the identity room keeps them, and back. */
import SCIMMY from 'scimmy'
import { z } from 'zod'
import { fail, GatewayError } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import type { By, ProvisionedGroup, ProvisionedUser, Provisioning } from '../identity/index.ts'

/** What a request brings along: whose resources these are, and what went wrong that the library would not tell. */
export type Ask = {
  readonly provisioning: Provisioning
  readonly by: By
  failure: GatewayError | undefined
  /** What a patch was made from. */
  read: { readonly version: number } | undefined
}

const mostResults = 1000

let isDeclared = false

/** Declares everything; the library keeps it for the process. */
export function declareResources(): void {
  if (isDeclared) return
  isDeclared = true
  SCIMMY.Config.set({
    patch: true,
    filter: { supported: true, maxResults: mostResults },
    sort: true,
    bulk: false,
    etag: false,
    changePassword: false,
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'Bearer token',
        description: 'A token of the virtual account that the identity provider provisions with.',
      },
    ],
  })
  // Nobody has a password here, so none may be sent along and kept.
  SCIMMY.Schemas.User.truncate(['password', 'x509Certificates', 'entitlements', 'roles', 'ims', 'photos'])
  SCIMMY.Resources.declare(SCIMMY.Resources.User)
    .ingress(({ id }, instance, ask: Ask) => told(ask, () => writeUser(ask, id, instance)))
    .egress((resource, ask: Ask) => told(ask, () => readUsers(ask, resource)))
    .degress(({ id }, ask: Ask) => told(ask, () => ask.provisioning.removeUser(id ?? '', ask.by)))
  SCIMMY.Resources.declare(SCIMMY.Resources.Group)
    .ingress(({ id }, instance, ask: Ask) => told(ask, () => writeGroup(ask, id, instance)))
    .egress((resource, ask: Ask) => told(ask, () => readGroups(ask, resource)))
    .degress(({ id }, ask: Ask) => told(ask, () => ask.provisioning.removeGroup(id ?? '', ask.by)))
}

/** The library answers 404 for every error that is not its own, so ours are kept beside. */
async function told<T>(ask: Ask, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof GatewayError) ask.failure = error
    throw error
  }
}

const label = z.string().min(1).max(256)
const givenUser = z.looseObject({
  userName: label,
  externalId: label.optional(),
  active: z.boolean().default(true),
  emails: z
    .array(z.looseObject({ value: z.string().max(254).optional(), primary: z.boolean().optional() }))
    .max(20)
    .default([]),
})

const mostAttributeBytes = 16 * 1024
/** Said by us, whatever was sent. */
const ours = ['id', 'schemas', 'meta', 'groups', 'active', 'externalId']

async function writeUser({ provisioning, by, ...ask }: Ask, id: string | undefined, instance: unknown) {
  const given = givenUser.parse(plain(instance))
  const attributes = Object.fromEntries(Object.entries(given).filter(([name]) => !ours.includes(name)))
  if (JSON.stringify(attributes).length > mostAttributeBytes)
    fail('http.body_too_large', { why: `A user has at most ${mostAttributeBytes} bytes of attributes.` })
  const { userName, externalId, active: isActive, emails } = given
  const email = (emails.find(({ primary }) => primary) ?? emails[0])?.value ?? userName
  const wanted = { userName, externalId, email, isActive, attributes }
  if (id === undefined) return userOut(await provisioning.createUser(wanted, by), [])
  const version = ask.read?.version ?? (await one(provisioning.users({ id }), id)).version
  const user = await provisioning.replaceUser({ ...wanted, id, version }, by)
  return userOut(user, await provisioning.groups())
}

async function readUsers(ask: Ask, { id, filter }: Read) {
  const { provisioning } = ask
  const groups = await provisioning.groups()
  if (id !== undefined) {
    const user = await one(provisioning.users({ id }), id)
    ask.read = user
    return userOut(user, groups)
  }
  const key = keyOf(filter, ['userName', 'externalId'])
  const users = (await provisioning.users(key)).map(user => userOut(user, groups))
  return key === undefined ? matching(filter, users) : users
}

function userOut(user: ProvisionedUser, groups: readonly ProvisionedGroup[]) {
  const member = groups.filter(({ members }) => members.some(({ id }) => id === user.id))
  return new SCIMMY.Schemas.User(
    {
      ...user.attributes,
      id: user.id,
      externalId: user.externalId,
      active: user.isActive,
      groups: member.map(({ id, displayName }) => ({ value: id, display: displayName })),
      meta: metaOf(user),
    },
    'out',
  )
}

const givenGroup = z.looseObject({
  displayName: label,
  externalId: label.optional(),
  members: z
    .array(z.looseObject({ value: z.string().max(64) }))
    .max(20_000)
    .default([]),
})

async function writeGroup({ provisioning, by, ...ask }: Ask, id: string | undefined, instance: unknown) {
  const { displayName, externalId, members } = givenGroup.parse(plain(instance))
  const wanted = { displayName, externalId, members: [...new Set(members.map(({ value }) => value))] }
  if (id === undefined) return groupOut(await provisioning.createGroup(wanted, by))
  const version = ask.read?.version ?? (await one(provisioning.groups({ id }), id)).version
  return groupOut(await provisioning.replaceGroup({ ...wanted, id, version }, by))
}

async function readGroups(ask: Ask, { id, filter }: Read) {
  const { provisioning } = ask
  if (id !== undefined) {
    const group = await one(provisioning.groups({ id }), id)
    ask.read = group
    return groupOut(group)
  }
  const key = keyOf(filter, ['displayName', 'externalId'])
  const groups = (await provisioning.groups(key)).map(groupOut)
  return key === undefined ? matching(filter, groups) : groups
}

function groupOut(group: ProvisionedGroup) {
  const { id, displayName, externalId, members } = group
  return new SCIMMY.Schemas.Group(
    {
      id,
      displayName,
      externalId,
      members: members.map(({ id: value, name: display }) => ({ value, display, type: 'User' })),
      meta: metaOf(group),
    },
    'out',
  )
}

type Read = { readonly id?: string; readonly filter?: InstanceType<typeof SCIMMY.Types.Filter> }

function metaOf({ createdAt, updatedAt }: { readonly createdAt: number; readonly updatedAt: number }) {
  return { created: new Date(createdAt), lastModified: new Date(updatedAt) }
}

async function one<T>(found: Promise<readonly T[]>, id: string): Promise<T> {
  const [first] = await found
  return (
    first ?? fail('identity.unknown', { why: `There is no resource ${JSON.stringify(id.slice(0, 64))}.` })
  )
}

/** What providers ask all day, `userName eq "..."`, is one look; everything else is matched by the library. */
function keyOf(
  filter: Read['filter'],
  names: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const [only, ...others]: unknown[] = filter === undefined ? [] : [...filter]
  if (!isObject(only) || others.length > 0) return undefined
  const entries = Object.entries(only)
  const [name = '', comparison] = entries[0] ?? []
  if (entries.length !== 1 || !names.includes(name) || !Array.isArray(comparison)) return undefined
  const [operator, value]: unknown[] = comparison
  if (operator !== 'eq' || typeof value !== 'string') return undefined
  return { [name]: name === 'userName' ? value.toLowerCase() : value }
}

function matching<T>(filter: Read['filter'], items: readonly T[]): T[] {
  return filter === undefined ? [...items] : filter.match([...items])
}

/** An instance of the library as JSON has it. */
function plain(instance: unknown): JsonObject {
  return JSON.parse(JSON.stringify(instance))
}
