/** What virtual accounts prove themselves by, over the management API. */
import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import { type Caller, type Route, route } from '../../foundation/route.ts'
import { knownAccount, maySee, unknownUnless } from '../accounts.ts'
import { type Act, change, type Room } from '../room.ts'
import { nameSchema } from '../schemas.ts'
import { type Account, accountByName, type From } from '../table.ts'
import { mayHandle } from '../tokens.ts'
import { clientIdOf, credentialsOf, credentialsSchema } from './credentials.ts'
import { deleteSecret, secretById } from './machine-table.ts'
import { putCredentials } from './put-credentials.ts'
import { addSecret, liveSecrets, newSecretId, rotateSecret, secretView } from './secrets.ts'
import { credentialsView, issuedSecret, newSecretSchema, secretRotationSchema } from './views.ts'

const byName = z.object({ name: nameSchema })
const bySecret = byName.extend({ id: z.string().max(64) })

type View = z.infer<typeof credentialsView>

export function machineRoutes(room: Room): Route[] {
  return [show(room), replace(room), add(room), rotate(room), remove(room)]
}

async function viewOf({ clock }: Room, from: From, account: Account): Promise<View> {
  const secrets = await liveSecrets(from, account.id, clock.now())
  const clientId = clientIdOf(account.name)
  return { clientId, ...credentialsOf(account.credentials_json), secrets: secrets.map(secretView) }
}

function show(room: Room): Route {
  const { kysely } = room.database
  return route({
    method: 'GET',
    path: '/api/v1/accounts/{name}/credentials',
    summary: 'Show what a virtual account proves itself by as an OAuth client',
    entry: 'signed-in',
    params: byName,
    answer: credentialsView,
    async act({ caller, params: { name } }) {
      const account = await accountByName(kysely, name)
      return viewOf(
        room,
        kysely,
        unknownUnless(account && maySee(caller, account) ? account : undefined, name),
      )
    },
  })
}

function replace(room: Room): Route {
  return route({
    method: 'PUT',
    path: '/api/v1/accounts/{name}/credentials',
    summary:
      'Say which public keys a virtual account has and which workloads may be it; tokens of others end',
    entry: 'admin',
    stepUp: true,
    params: byName,
    body: credentialsSchema,
    answer: credentialsView,
    act({ caller, requestId, params: { name }, body }) {
      const target = `account:${name}`
      const act: Act = {
        caller,
        requestId,
        action: 'identity.update_account',
        target,
        detail: { credentials: body },
      }
      return change(room, act, async tx => {
        await putCredentials(tx, await knownAccount(tx, name), body)
        return viewOf(room, tx, await knownAccount(tx, name))
      })
    },
  })
}

/** The account, if the caller answers for it: its owner, or an admin. */
async function handled(from: From, caller: Caller, name: string): Promise<Account> {
  const account = await accountByName(from, name)
  const isTheirs = account && mayHandle(caller, { user_id: null, account_owner_id: account.owner_id })
  return unknownUnless(isTheirs ? account : undefined, name)
}

function add(room: Room): Route {
  return route({
    method: 'POST',
    path: '/api/v1/accounts/{name}/secrets',
    summary: 'Make a client secret for a virtual account; its text is in this answer and nowhere else',
    entry: 'signed-in',
    stepUp: true,
    status: 201,
    params: byName,
    body: newSecretSchema,
    answer: issuedSecret,
    act({ caller, requestId, params: { name }, body }) {
      const id = newSecretId(room)
      const target = `account:${name}`
      const detail = { id, expires: body.expires }
      const act: Act = { caller, requestId, action: 'identity.create_account_secret', target, detail }
      return change(room, act, async tx =>
        addSecret(room, tx, await handled(tx, caller, name), { id, ...body }),
      )
    },
  })
}

function rotate(room: Room): Route {
  return route({
    method: 'POST',
    path: '/api/v1/accounts/{name}/secrets/rotate',
    summary:
      'Make a client secret that takes the place of the one there is, which stays good until the deadline',
    entry: 'signed-in',
    stepUp: true,
    status: 201,
    params: byName,
    body: secretRotationSchema,
    answer: issuedSecret,
    act({ caller, requestId, params: { name }, body }) {
      const id = newSecretId(room)
      const target = `account:${name}`
      const detail = { id, expires: body.expires, deadline: body.deadline }
      const act: Act = { caller, requestId, action: 'identity.rotate_account_secret', target, detail }
      return change(room, act, async tx =>
        rotateSecret(room, tx, await handled(tx, caller, name), { id, ...body }),
      )
    },
  })
}

function remove(room: Room): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/accounts/{name}/secrets/{id}',
    summary: 'Revoke a client secret; what was given for it ends within seconds',
    entry: 'signed-in',
    params: bySecret,
    async act({ caller, requestId, params: { name, id } }) {
      const target = `account:${name}`
      const act: Act = { caller, requestId, action: 'identity.revoke_account_secret', target, detail: { id } }
      await change(room, act, async tx => {
        const account = await handled(tx, caller, name)
        const secret = await secretById(tx, id)
        if (secret?.account_id !== account.id)
          fail('identity.unknown', { why: `The account ${name} has no secret ${id}.` })
        await deleteSecret(tx, id)
      })
      return undefined
    },
  })
}
