/** Gives an access token for a virtual account or a person, and says on what it hangs. */
import type { Ground, Machine, Person } from '../../identity/index.ts'
import type { Resource } from '../resources.ts'
import { visit } from '../visit.ts'
import type { Asked, GrantParts } from './grant-parts.ts'
import { tokenTypes } from './names.ts'

export type Wanted = {
  readonly resource: Resource
  readonly scopes: readonly string[]
  readonly ground: Ground
  /** Milliseconds since 1970: no token is good for longer than what it was asked for with. */
  readonly until?: number
  /** Who acts for whom the token is (RFC 8693, 4.1). */
  readonly act?: unknown
  /** It was exchanged, which the answer says. */
  readonly isExchanged?: boolean
  /** Nobody gets it who does not prove to have a key. */
  readonly isBound?: boolean
}

/** For a virtual account. */
export async function issueForMachine(
  parts: GrantParts,
  asked: Asked,
  { machine, ...wanted }: Wanted & { readonly machine: Pick<Machine, 'id' | 'name'> },
): Promise<void> {
  const { provider, ctx } = asked
  const key = await provenKey(parts, asked, wanted.isBound === true)
  const { about } = visit()
  about.who = { id: machine.id, kind: 'account', name: machine.name }
  about.held = { accountId: machine.id, ground: wanted.ground, act: wanted.act }
  const token = new provider.ClientCredentials({
    client: ctx.oidc.client,
    scope: wanted.scopes.join(' '),
    expiresIn: secondsOf(parts, wanted),
  })
  token.setAudience(wanted.resource.url)
  if (key !== undefined) token.setThumbprint('jkt', key)
  ctx.oidc.entity('ClientCredentials', token)
  answer(ctx, wanted, { value: await token.save(), type: token.tokenType, seconds: token.expiration })
}

/** For a person: with a grant of its own that they see among what they allowed, and may take back. */
export async function issueForPerson(
  parts: GrantParts,
  asked: Asked,
  { person, ...wanted }: Wanted & { readonly person: Person },
): Promise<void> {
  const { provider, ctx } = asked
  const { client } = ctx.oidc
  const key = await provenKey(parts, asked, wanted.isBound === true)
  const { about } = visit()
  const seconds = secondsOf(parts, wanted)
  const scope = wanted.scopes.join(' ')
  about.who = { id: person.userId, kind: 'user', name: person.name }
  about.clientName = (client.clientName ?? client.clientId).slice(0, 200)
  about.grantSeconds = seconds
  const grant = new provider.Grant({ accountId: person.userId, clientId: client.clientId })
  grant.addResourceScope(wanted.resource.url, scope)
  await grant.save()
  about.held = { ground: wanted.ground, act: wanted.act }
  const token = new provider.AccessToken({
    client,
    accountId: person.userId,
    grantId: grant.jti,
    gty: String(ctx.oidc.params.grant_type),
    scope,
    expiresIn: seconds,
  })
  token.setAudience(wanted.resource.url)
  if (key !== undefined) token.setThumbprint('jkt', key)
  ctx.oidc.entity('Grant', grant)
  ctx.oidc.entity('AccessToken', token)
  answer(ctx, wanted, { value: await token.save(), type: token.tokenType, seconds })
  await parts.store.clients.used(client.clientId)
}

/** The key whose holder asks, once it is proved. */
async function provenKey(
  { helpers, errors }: GrantParts,
  { provider, ctx }: Asked,
  isNeeded: boolean,
): Promise<string | undefined> {
  const proof = await helpers.validateDpop(provider, ctx)
  if (proof === undefined && (isNeeded || ctx.oidc.client.dpopBoundAccessTokens === true))
    throw new errors.InvalidDpopProof('a token of this account is bound to a key: send a DPoP proof')
  await helpers.checkDpopReplay(provider, ctx, proof, ctx.oidc.client.clientId, errors.InvalidDpopProof)
  return proof?.thumbprint
}

function secondsOf({ settings, clock }: GrantParts, { until }: Wanted): number {
  const left = until === undefined ? Number.POSITIVE_INFINITY : Math.floor((until - clock.now()) / 1000)
  return Math.max(1, Math.min(settings.accessTokenSeconds, left))
}

type Given = { readonly value: string; readonly type: string; readonly seconds: number }

function answer(ctx: Asked['ctx'], wanted: Wanted, { value, type, seconds }: Given): void {
  ctx.body = {
    access_token: value,
    token_type: type,
    expires_in: seconds,
    scope: wanted.scopes.join(' '),
    ...(wanted.isExchanged === true && { issued_token_type: tokenTypes.accessToken }),
  }
}
