import { z } from 'zod'
import { fail } from '../foundation/errors.ts'
import { newId } from '../foundation/id.ts'
import { type Caller, type Route, route } from '../foundation/route.ts'
import type { Credentials } from './machines/credentials.ts'
import { putCredentials } from './machines/put-credentials.ts'
import { mayManage } from './principal.ts'
import { boundOf } from './providers/bounds.ts'
import { change, forget, type Room, removal } from './room.ts'
import { accountView, isoTime, listed, listOf, nameSchema, ownerSchema } from './schemas.ts'
import {
  type Account,
  accountByName,
  accounts,
  deleteAccount,
  type From,
  insertAccount,
  updateAccount,
} from './table.ts'
import { knownUser } from './users.ts'

const byName = z.object({ name: nameSchema })

type WantedAccount = { name: string; owner?: string | undefined; credentials?: Credentials | undefined }

export async function knownAccount(from: From, name: string): Promise<Account> {
  return unknownUnless(await accountByName(from, name), name)
}

/** An account the caller may not see is as unknown as one that does not exist. */
export function unknownUnless(account: Account | undefined, name: string): Account {
  return account ?? fail('identity.unknown', { why: `There is no virtual account ${name} that you may see.` })
}

/** Creates the account or gives it this owner (`user:<email>`) and these credentials, or none. Its secrets stay. */
export async function putAccount(
  tx: From,
  { name, owner, credentials }: WantedAccount,
  now: number,
): Promise<void> {
  const owner_id = owner === undefined ? null : await ownerIdOf(tx, owner)
  const account = await accountByName(tx, name)
  const id = account?.id ?? newId(now)
  if (account !== undefined) await updateAccount(tx, id, { owner_id })
  else await insertAccount(tx, { id, name, owner_id, disabled_at: null, created_at: now })
  await putCredentials(tx, { id }, credentials)
}

export async function removeAccount(room: Pick<Room, 'namers'>, tx: From, name: string): Promise<void> {
  await deleteAccount(tx, (await knownAccount(tx, name)).id)
  await forget(room, tx, `account:${name}`)
}

async function ownerIdOf(from: From, owner: string): Promise<string> {
  const user = await knownUser(from, owner.slice('user:'.length))
  if ((await boundOf(from, user.provider_id)) === undefined) return user.id
  return fail('http.conflict', {
    why: `${user.email} comes from an identity provider whose people stay within bounds, and so owns nothing.`,
    fix: 'Give the account an owner who is not bound.',
  })
}

/** The owner as the manifest writes it. */
export function ownerOf(account: Account): string | null {
  return account.owner_email === null ? null : `user:${account.owner_email}`
}

/** Admins and auditors see every account, others those they own. */
export function maySee(caller: Caller, account: Account): boolean {
  return mayManage(caller) && (caller.role !== 'member' || account.owner_id === caller.id)
}

function view(account: Account): z.infer<typeof accountView> {
  const { id, name, disabled_at, created_at } = account
  return { id, name, owner: ownerOf(account), disabled: disabled_at !== null, createdAt: isoTime(created_at) }
}

async function oneAccount(from: From, name: string): Promise<z.infer<typeof accountView>> {
  return view(await knownAccount(from, name))
}

export function accountRoutes(room: Room): Route[] {
  return [
    listAccounts(room),
    createAccount(room),
    getAccount(room),
    alterAccount(room),
    deleteAccountRoute(room),
  ]
}

function listAccounts({ database: { kysely } }: Room): Route {
  return route({
    method: 'GET',
    path: '/api/v1/accounts',
    summary: 'List virtual accounts: all for admins and auditors, your own otherwise',
    entry: 'signed-in',
    answer: listOf(accountView),
    async act({ caller }) {
      const seen = (await accounts(kysely)).filter(account => maySee(caller, account))
      return listed(seen.map(view), 'There is no virtual account that you may see.')
    },
  })
}

function createAccount(room: Room): Route {
  return route({
    method: 'POST',
    path: '/api/v1/accounts',
    summary: 'Create a virtual account',
    entry: 'admin',
    stepUp: true,
    status: 201,
    body: z.strictObject({ name: nameSchema, owner: ownerSchema.optional() }),
    answer: accountView,
    act({ caller, requestId, body }) {
      const act = {
        caller,
        requestId,
        action: 'identity.create_account',
        target: `account:${body.name}`,
      } as const
      return change(room, { ...act, detail: { owner: body.owner ?? null } }, async tx => {
        if (await accountByName(tx, body.name))
          fail('http.conflict', { why: `The account ${body.name} exists.` })
        await putAccount(tx, body, room.clock.now())
        return oneAccount(tx, body.name)
      })
    },
  })
}

function getAccount({ database: { kysely } }: Room): Route {
  return route({
    method: 'GET',
    path: '/api/v1/accounts/{name}',
    summary: 'Show a virtual account',
    entry: 'signed-in',
    params: byName,
    answer: accountView,
    async act({ caller, params: { name } }) {
      const account = await accountByName(kysely, name)
      return view(unknownUnless(account && maySee(caller, account) ? account : undefined, name))
    },
  })
}

function alterAccount(room: Room): Route {
  return route({
    method: 'PATCH',
    path: '/api/v1/accounts/{name}',
    summary: 'Give a virtual account another owner, disable or enable it',
    entry: 'admin',
    stepUp: true,
    params: byName,
    body: z.strictObject({ owner: ownerSchema.nullable().optional(), disabled: z.boolean().optional() }),
    answer: accountView,
    act({ caller, requestId, params: { name }, body: { owner, disabled } }) {
      const act = { caller, requestId, action: 'identity.update_account', target: `account:${name}` } as const
      return change(room, { ...act, detail: { owner, disabled } }, async tx => {
        const { id, disabled_at } = await knownAccount(tx, name)
        if (owner !== undefined)
          await updateAccount(tx, id, { owner_id: owner === null ? null : await ownerIdOf(tx, owner) })
        if (disabled !== undefined)
          await updateAccount(tx, id, { disabled_at: disabled ? (disabled_at ?? room.clock.now()) : null })
        return oneAccount(tx, name)
      })
    },
  })
}

function deleteAccountRoute(room: Room): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/accounts/{name}',
    summary: 'Delete a virtual account and its tokens',
    entry: 'admin',
    stepUp: true,
    params: byName,
    act({ caller, requestId, params: { name } }) {
      const act = { caller, requestId, action: 'identity.delete_account', target: `account:${name}` } as const
      return removal(room, act, tx => removeAccount(room, tx, name))
    },
  })
}
