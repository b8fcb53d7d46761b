/**
 * Codes and refresh tokens are good once. Using one up and giving what it is good for is one transaction, so of any number of parallel
 * requests, in any process, one succeeds. Whoever brings one again brings down everything that came of it; only a refresh that is
 * repeated by its client within a few seconds, because the answer was lost, gets the same answer again.
 */
import type { errors } from 'oidc-provider'
import { z } from 'zod'
import type { Clock } from '../foundation/clock.ts'
import type { Kept, OAuthStore } from '../identity/index.ts'
import { UsedUp } from './adapter.ts'
import { visit } from './visit.ts'

export const graceMilliseconds = 10_000

export type OneUseParts = {
  readonly store: OAuthStore
  readonly clock: Clock
  readonly errors: Pick<typeof errors, 'InvalidGrant' | 'OIDCProviderError'>
}

/** The context of a token request, as far as it matters here. */
type Context = {
  readonly oidc: {
    readonly client: { readonly clientId: string }
    readonly params: Readonly<Record<string, unknown>>
  }
  body: unknown
}
type Handler<C extends Context> = (ctx: C) => Promise<void>

/** Puts the rule around the library's own handling of a grant type. */
export function onceOnly<C extends Context>(
  parts: OneUseParts,
  kind: { readonly model: 'AuthorizationCode' | 'RefreshToken'; readonly param: 'code' | 'refresh_token' },
  handle: Handler<C>,
): Handler<C> {
  const { store, errors } = parts
  return async ctx => {
    const token = ctx.oidc.params[kind.param]
    const known = typeof token === 'string' ? await store.artifacts.find(kind.model, token) : undefined
    if (typeof token !== 'string' || known === undefined) return handle(ctx)
    const { clientId } = ctx.oidc.client
    if (kind.model === 'RefreshToken' && known.payload.clientId !== clientId)
      return theft(parts, known, 'another client brought the refresh token')
    if (known.consumedAt !== undefined) return again(parts, ctx, { known, model: kind.model })
    try {
      await store.artifacts.together(async () => {
        await handle(ctx)
        await store.artifacts.keepAnswer(kind.model, token, JSON.stringify(ctx.body))
      })
      await store.clients.used(clientId)
    } catch (error) {
      const now = await store.artifacts.find(kind.model, token)
      if (error instanceof UsedUp && now !== undefined)
        return again(parts, ctx, { known: now, model: kind.model })
      // It was revoked at the same moment.
      if (now === undefined && !(error instanceof errors.OIDCProviderError))
        throw new errors.InvalidGrant('it was revoked')
      throw error
    }
  }
}

const answerSchema = z.record(z.string(), z.unknown())

async function again(
  parts: OneUseParts,
  ctx: Context,
  { known, model }: { readonly known: Kept; readonly model: string },
): Promise<void> {
  const since = parts.clock.now() - (known.consumedAt ?? 0)
  if (model === 'RefreshToken' && since <= graceMilliseconds && known.answer !== undefined) {
    ctx.body = answerSchema.parse(JSON.parse(known.answer))
    return
  }
  const what = model === 'RefreshToken' ? 'a refresh token' : 'an authorization code'
  return theft(parts, known, `${what} was used a second time`)
}

/** Nobody can tell the thief from the owner: both lose it, and the owner asks again. */
async function theft({ store, errors }: OneUseParts, known: Kept, why: string): Promise<never> {
  const { grantId } = known.payload
  if (typeof grantId === 'string')
    await store.grants.revoke(grantId, {
      requestId: visit().requestId,
      why,
      isForgotten: true,
      isTheft: true,
    })
  throw new errors.InvalidGrant(why)
}
