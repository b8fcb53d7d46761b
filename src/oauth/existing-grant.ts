/** Must the person be asked? */
import type { KoaContextWithOIDC } from 'oidc-provider'
import { hostOf, isLocalRedirect } from '../foundation/redirect-uri.ts'
import type { Consent, OAuthStore } from '../identity/index.ts'
import { visit } from './visit.ts'

export type ConsentRules = { readonly store: OAuthStore }

type Asking = {
  readonly userId: string
  readonly client: {
    readonly clientId: string
    readonly clientName?: string | undefined
    readonly redirectUris?: readonly string[] | undefined
    readonly tokenEndpointAuthMethod?: string | undefined
  }
  readonly params: Readonly<Record<string, unknown>>
}

const text = (value: unknown) => (typeof value === 'string' ? value : '')

/** Everything the person is shown, and all that the client could lead an answer to. */
export function consentOf({ userId, client, params }: Asking): Consent {
  const scopes = text(params.scope).split(' ').toSorted().join(' ')
  return {
    userId,
    clientId: client.clientId,
    about: [
      hostOf(text(params.redirect_uri)),
      text(params.resource),
      scopes,
      client.clientName ?? '',
      [...(client.redirectUris ?? [])].toSorted().join(' '),
    ],
  }
}

/**
 * May it be remembered that they agreed? Not where the answer goes to a program on their own machine and nothing proves which: any
 * program there could ask in the name of the client (RFC 8252, 8.6).
 */
export function isRememberable({ client, params }: Pick<Asking, 'client' | 'params'>): boolean {
  return client.tokenEndpointAuthMethod !== 'none' || !isLocalRedirect(text(params.redirect_uri))
}

/** The grant that the person has just given, or one like it that they gave before. */
export async function existingGrant({ store }: ConsentRules, ctx: KoaContextWithOIDC) {
  const { oidc } = ctx
  const given = oidc.result?.consent?.grantId
  if (given !== undefined) return oidc.provider.Grant.find(given)
  const { client, session, params = {} } = oidc
  if (client === undefined || session?.accountId === undefined || text(params.prompt) !== '') return undefined
  const asking = { userId: session.accountId, client, params }
  if (!isRememberable(asking) || !(await store.grants.isAgreed(consentOf(asking)))) return undefined
  return newGrant(oidc.provider, asking)
}

/** A grant of everything that the request asks for. */
export async function newGrant(
  provider: KoaContextWithOIDC['oidc']['provider'],
  { userId, client, params }: Asking,
) {
  visit().about.clientName = nameOf(client)
  const grant = new provider.Grant({ accountId: userId, clientId: client.clientId })
  const scopes = text(params.scope).split(' ')
  const own = scopes.filter(scope => scope === 'openid' || scope === 'offline_access')
  if (own.length > 0) grant.addOIDCScope(own.join(' '))
  const granted = scopes.filter(scope => scope.startsWith('mcp:'))
  grant.addResourceScope(text(params.resource), granted.join(' '))
  await grant.save()
  return grant
}

export function nameOf(client: Asking['client']): string {
  return (client.clientName ?? client.clientId).slice(0, 200)
}
