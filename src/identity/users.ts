import { z } from 'zod'
import { fail } from '../foundation/errors.ts'
import { newId } from '../foundation/id.ts'
import { type Role, type Route, route } from '../foundation/route.ts'
import { boundOf } from './providers/bounds.ts'
import { providerNames } from './providers/provider-table.ts'
import { change, forget, type Room, removal } from './room.ts'
import { emailSchema, isoTime, listed, listOf, roleSchema, userView } from './schemas.ts'
import { deleteSessionsOf } from './sign-in-table.ts'
import {
  accounts,
  admins,
  deleteUser,
  type From,
  insertUser,
  memberships,
  teamNamesOf,
  type User,
  updateUser,
  userByEmail,
  users,
} from './table.ts'

const byEmail = z.object({ email: emailSchema })

export async function knownUser(from: From, email: string): Promise<User> {
  return (await userByEmail(from, email)) ?? fail('identity.unknown', { why: `There is no user ${email}.` })
}

/** Creates the user or gives the role. */
export async function putUser(tx: From, wanted: { email: string; role: Role }, now: number): Promise<void> {
  const { email, role } = wanted
  const user = await userByEmail(tx, email)
  if (user === undefined)
    return insertUser(tx, { id: newId(now), email, role, disabled_at: null, created_at: now })
  if (user.role !== role) await alterUser(tx, user, { role })
}

export async function removeUser(room: Pick<Room, 'namers'>, tx: From, email: string): Promise<void> {
  const user = await knownUser(tx, email)
  await keepAnAdmin(tx, user)
  const owned = (await accounts(tx)).filter(account => account.owner_id === user.id)
  if (owned.length > 0) {
    fail('http.conflict', {
      why: `${email} owns the virtual accounts ${owned.map(account => account.name).join(', ')}.`,
      fix: 'Delete these accounts or give them another owner first.',
    })
  }
  await deleteUser(tx, user.id)
  await forget(room, tx, `user:${email}`)
}

export async function alterUser(
  tx: From,
  user: User,
  set: Partial<Pick<User, 'role' | 'disabled_at'>>,
): Promise<void> {
  const after = { ...user, ...set }
  if (after.role !== user.role) await keepRole(tx, user)
  if (after.role !== 'admin' || after.disabled_at !== null) await keepAnAdmin(tx, user)
  await updateUser(tx, user.id, set)
  if (after.disabled_at !== null) await deleteSessionsOf(tx, user.id)
}

/** People who stay within bounds are members, whatever their row says; so let it say that. */
async function keepRole(tx: From, { email, provider_id }: User): Promise<void> {
  if ((await boundOf(tx, provider_id)) === undefined) return
  fail('http.conflict', {
    why: `${email} comes from an identity provider whose people stay within bounds, and so is a member.`,
    fix: 'Make somebody else an admin or auditor.',
  })
}

/** Refuses to lose the last admin who can act. */
async function keepAnAdmin(tx: From, leaving: User): Promise<void> {
  const isAble = (user: User) => user.role === 'admin' && user.disabled_at === null
  if (!isAble(leaving)) return
  const others = (await admins(tx)).filter(user => user.id !== leaving.id)
  if (others.some(isAble)) return
  fail('http.conflict', {
    why: `${leaving.email} is the last admin.`,
    fix: 'Make somebody else an admin first.',
  })
}

type Known = { readonly teams: string[]; readonly providers: ReadonlyMap<string, string> }

function view(user: User, { teams, providers }: Known): z.infer<typeof userView> {
  const { id, email, role, disabled_at, created_at, provider_id } = user
  const provider = provider_id === null ? null : (providers.get(provider_id) ?? null)
  return { id, email, role, disabled: disabled_at !== null, teams, provider, createdAt: isoTime(created_at) }
}

async function oneUser(from: From, email: string): Promise<z.infer<typeof userView>> {
  const user = await knownUser(from, email)
  return view(user, { teams: await teamNamesOf(from, user.id), providers: await providerNames(from) })
}

export function userRoutes(room: Room): Route[] {
  return [listUsers(room), createUser(room), getUser(room), alterUserRoute(room), deleteUserRoute(room)]
}

function listUsers({ database: { kysely } }: Room): Route {
  return route({
    method: 'GET',
    path: '/api/v1/users',
    summary: 'List users',
    entry: 'auditor',
    answer: listOf(userView),
    async act() {
      const teams = Map.groupBy(await memberships(kysely), member => member.email)
      const items = await users(kysely)
      const providers = await providerNames(kysely)
      const views = items.map(user =>
        view(user, { providers, teams: (teams.get(user.email) ?? []).map(({ team }) => team) }),
      )
      return listed(views, 'Nobody has been added yet.')
    },
  })
}

function createUser(room: Room): Route {
  return route({
    method: 'POST',
    path: '/api/v1/users',
    summary: 'Add a user',
    entry: 'admin',
    stepUp: true,
    status: 201,
    body: z.strictObject({ email: emailSchema, role: roleSchema.default('member') }),
    answer: userView,
    act({ caller, requestId, body }) {
      const act = { caller, requestId, action: 'identity.create_user', target: `user:${body.email}` } as const
      return change(room, { ...act, detail: { role: body.role } }, async tx => {
        if (await userByEmail(tx, body.email))
          fail('http.conflict', { why: `The user ${body.email} exists.` })
        await putUser(tx, body, room.clock.now())
        return oneUser(tx, body.email)
      })
    },
  })
}

function getUser({ database: { kysely } }: Room): Route {
  return route({
    method: 'GET',
    path: '/api/v1/users/{email}',
    summary: 'Show a user',
    entry: 'auditor',
    params: byEmail,
    answer: userView,
    act: ({ params }) => oneUser(kysely, params.email),
  })
}

function alterUserRoute(room: Room): Route {
  return route({
    method: 'PATCH',
    path: '/api/v1/users/{email}',
    summary: 'Change the role of a user, disable or enable them',
    entry: 'admin',
    stepUp: true,
    params: byEmail,
    body: z.strictObject({ role: roleSchema.optional(), disabled: z.boolean().optional() }),
    answer: userView,
    act({ caller, requestId, params: { email }, body }) {
      const act = { caller, requestId, action: 'identity.update_user', target: `user:${email}` } as const
      return change(room, { ...act, detail: body }, async tx => {
        const user = await knownUser(tx, email)
        const disabledAt = body.disabled ? (user.disabled_at ?? room.clock.now()) : null
        await alterUser(tx, user, {
          role: body.role ?? user.role,
          disabled_at: body.disabled === undefined ? user.disabled_at : disabledAt,
        })
        return oneUser(tx, email)
      })
    },
  })
}

function deleteUserRoute(room: Room): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/users/{email}',
    summary: 'Delete a user and their tokens',
    entry: 'admin',
    stepUp: true,
    params: byEmail,
    act({ caller, requestId, params: { email } }) {
      const act = { caller, requestId, action: 'identity.delete_user', target: `user:${email}` } as const
      return removal(room, act, tx => removeUser(room, tx, email))
    },
  })
}
