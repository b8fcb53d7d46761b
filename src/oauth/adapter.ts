/** The storage that oidc-provider asks for, over what the identity room keeps. */
import type { Adapter, AdapterPayload } from 'oidc-provider'
import { accountOfClient, type OAuthStore } from '../identity/index.ts'
import { machineClient } from './machine-client.ts'
import { visit } from './visit.ts'

/** Those that hang on a grant, and go with it. */
const ofGrants = ['AccessToken', 'RefreshToken', 'AuthorizationCode']
/** Those that may hang on more. */
const ofGrounds = ['AccessToken', 'ClientCredentials']

/** A code or token that is used up already: somebody else did, a moment ago or long before. */
export class UsedUp extends Error {}

export function adapterFor(store: OAuthStore, model: string): Adapter {
  switch (model) {
    case 'Client':
      return clientAdapter(store)
    case 'Grant':
      return grantAdapter(store)
    case 'Session':
      return sessionAdapter(artifactAdapter(store, model))
    default:
      return artifactAdapter(store, model)
  }
}

// What was put is found again as it was; its shape is the library's own.
const asStored = (payload: object) => payload as AdapterPayload

function artifactAdapter({ artifacts }: OAuthStore, model: string): Adapter {
  const whole = (id: string, payload: object, consumedAt: number | undefined) =>
    asStored({
      ...payload,
      jti: id,
      ...(consumedAt === undefined ? {} : { consumed: Math.floor(consumedAt / 1000) }),
    })
  return {
    async upsert(id, { jti: _, ...payload }) {
      const { exp, uid, grantId } = payload
      const held = ofGrounds.includes(model) ? visit().about.held : undefined
      await artifacts.put(model, id, {
        payload: { ...payload, ...(held !== undefined && { ground: held.ground }) },
        accountId: held?.accountId,
        expiresAt: exp === undefined ? undefined : exp * 1000,
        uid,
        grantId: ofGrants.includes(model) ? grantId : undefined,
      })
    },
    async find(id) {
      const found = await artifacts.find(model, id)
      // What the library would do then is not for the midst of a transaction.
      if (found?.consumedAt !== undefined && artifacts.isTogether()) throw new UsedUp()
      return found && whole(id, found.payload, found.consumedAt)
    },
    async findByUid(uid) {
      const found = await artifacts.findByUid(model, uid)
      return found && asStored(found.payload)
    },
    findByUserCode: async () => undefined,
    async consume(id) {
      if (!(await artifacts.consume(model, id))) throw new UsedUp()
    },
    destroy: id => artifacts.remove(model, id),
    // Everything of a grant goes with it.
    revokeByGrantId: async () => undefined,
  }
}

/** A session of the library's is there for the very sign-in it was made in: it ends with that, and is nobody else's. */
function sessionAdapter(inner: Adapter): Adapter {
  const ours = (payload: Awaited<ReturnType<Adapter['find']>>) => {
    if (payload === undefined || payload.accountId === undefined) return payload
    const { session } = visit()
    const isSame = session !== undefined && 'signIn' in payload && payload.signIn === session.id
    return isSame && payload.accountId === session.principal.id ? payload : undefined
  }
  return {
    ...inner,
    upsert: (id, payload, expiresIn) =>
      inner.upsert(id, asStored({ ...payload, signIn: visit().session?.id }), expiresIn),
    find: async id => ours(await inner.find(id)),
    findByUid: async uid => ours(await inner.findByUid(uid)),
  }
}

function grantAdapter({ grants }: OAuthStore): Adapter {
  return {
    ...unused,
    async upsert(id, payload, expiresIn = 0) {
      const { jti: _, ...rest } = payload
      const [[resource, scope] = ['', '']] = Object.entries(payload.resources ?? {})
      await grants.put({
        id,
        userId: payload.accountId ?? '',
        clientId: payload.clientId ?? '',
        clientName: visit().about.clientName ?? payload.clientId ?? '',
        resource,
        scope: String(scope),
        payload: rest,
        expiresAt: payload.exp === undefined ? Date.now() + expiresIn * 1000 : payload.exp * 1000,
      })
    },
    async find(id) {
      const found = await grants.find(id)
      return found && asStored({ ...found.payload, jti: id })
    },
    async destroy(id) {
      await grants.revoke(id, { requestId: visit().requestId, why: 'the client gave it back' })
    },
  }
}

function clientAdapter(store: OAuthStore): Adapter {
  const { clients } = store
  return {
    ...unused,
    upsert: (id, payload) => clients.putItself(id, { ...payload }),
    async find(id) {
      const account = accountOfClient(id)
      if (account !== undefined) return machineClient(store, id)
      const found = await clients.find(id)
      return found && asStored(found.metadata)
    },
    destroy: id => clients.remove(id),
  }
}

const unused: Adapter = {
  upsert: async () => undefined,
  find: async () => undefined,
  findByUid: async () => undefined,
  findByUserCode: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
}
