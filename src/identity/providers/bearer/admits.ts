/** Whom a token is for, and so where it may be used. */
import { apiResource } from '../../identify.ts'
import type { IdentityProvider } from '../provider.ts'
import type { TokenFacts } from './token-facts.ts'

/** May it be used at this resource? */
export type Admits = (resource: string) => boolean

const endpoint = /^\/mcp(?:\/([a-z0-9-]{1,63})\/([a-z0-9-]{1,63})(?:\/server|\/sse)?)?$/

/** One name for all addresses of an MCP endpoint; undefined for what is none. */
function endpointOf(path: string): string | undefined {
  const found = endpoint.exec(path)
  if (found === null) return undefined
  return found[1] === undefined ? '/mcp' : `/mcp/${found[1]}/${found[2]}`
}

type Asked = { readonly provider: IdentityProvider; readonly facts: TokenFacts; readonly origin: string }

/**
 * Every audience must be one of the provider's, or the URL of an MCP endpoint of this gateway; a token that names endpoints is
 * for these only. Otherwise why not.
 */
export function admitsOf({ provider, facts, origin }: Asked): Admits | string {
  const { use, audiences } = provider
  const endpoints = new Set<string>()
  for (const audience of facts.audiences) {
    if (audiences.includes(audience)) continue
    const path = audience.startsWith(`${origin}/`) ? audience.slice(origin.length) : ''
    const named = endpointOf(path)
    if (named === undefined) return 'The token is for somebody else.'
    endpoints.add(named)
  }
  const isForMcp = use.bearer.includes('mcp')
  const isForApi = use.bearer.includes('api') && endpoints.size === 0
  return resource => {
    if (resource === apiResource) return isForApi
    const named = endpointOf(resource.replace(/\/$/, ''))
    // An address that is none answers as it does to every token; there is nothing behind it.
    return isForMcp && (endpoints.size === 0 || (named !== undefined && endpoints.has(named)))
  }
}

/** Why the token is not what it should be as far as its provider's rules go; undefined where it is. */
export function objectionTo(provider: IdentityProvider, facts: TokenFacts): string | undefined {
  if (provider.use.bearer.length === 0) return `Tokens of ${provider.name} are not taken here.`
  if (!provider.algorithms.includes(facts.alg))
    return 'The token is signed by an algorithm that its issuer does not use.'
  if (facts.otherKind !== undefined) return `It is ${facts.otherKind}, and no access token.`
  if (facts.typ === 'at+jwt') return undefined
  if (facts.typ !== undefined && facts.typ !== 'jwt')
    return 'It is another kind of token than an access token.'
  // What has no type of its own could be an ID token: these are for the client.
  return provider.clientId !== undefined && facts.audiences.includes(provider.clientId)
    ? 'It is for the client that signs people in, as ID tokens are.'
    : undefined
}
