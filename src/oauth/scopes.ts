/** The scopes of MCP access tokens, and what they mean in words. */

export const scopesSupported: readonly string[] = ['mcp:use', 'mcp:read']
const everyScope = 'mcp:use'

const narrowed = /^mcp:(?:use|read):[a-z0-9-]{1,63}\/[a-z0-9-]{1,63}$/
const mostNarrowed = 100

/** Of what was asked for, what there is: narrowing by server makes sense only where several are reached. */
export function knownScopes(asked: Iterable<string>, isNarrowable: boolean): string[] {
  const all = [...new Set(asked)]
  const several = isNarrowable ? all.filter(scope => narrowed.test(scope)).slice(0, mostNarrowed) : []
  return [...all.filter(scope => scopesSupported.includes(scope)), ...several]
}

export function inWords(scope: string): string {
  const [, verb, server] = scope.split(':')
  const where = server === undefined ? '' : ` of ${server}`
  if (verb === 'read')
    return `See what there is, read resources and prompts, and call tools that are confirmed to only read${where}`
  return server === undefined
    ? 'Use everything that you may use, as you'
    : `Use everything that you may use${where}, as you`
}

/** A request that asks for nothing in particular asks for everything. */
export function withScope(params: URLSearchParams): URLSearchParams {
  const asked = (params.get('scope') ?? '').split(' ').filter(scope => scope.startsWith('mcp:'))
  if (asked.length > 0) return params
  const scope = [params.get('scope') ?? '', everyScope].join(' ').trim()
  params.set('scope', scope)
  return params
}
