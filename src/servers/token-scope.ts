/** What the access token of an OAuth client covers of all that its person may do. It only ever takes away. */
import type { Action, Target } from '../access/index.ts'
import type { Caller } from '../foundation/route.ts'

/**
 * The scopes that the token lacks for this, all of them; undefined where it covers it. `mcp:use` covers everything, `mcp:read` what
 * only reads: lists, prompts, resources, and tools that are confirmed to. Either may be narrowed to one server: `mcp:use:group/server`.
 */
export function missingScopes(
  { scopes }: Pick<Caller, 'scopes'>,
  action: Action,
  { group, server, tool }: Pick<Target, 'group' | 'server' | 'tool'>,
): readonly string[] | undefined {
  if (scopes === undefined) return undefined
  const isReading = action !== 'tool.call' || tool?.readOnly === true
  const place = `${group}/${server}`
  const has = (scope: string) => scopes.includes(scope) || scopes.includes(`${scope}:${place}`)
  if (has('mcp:use') || (isReading && has('mcp:read'))) return undefined
  const needed = isReading ? 'mcp:read' : 'mcp:use'
  // Who chose servers is asked for one more, not for all.
  const isNarrowed = scopes.some(scope => scope.split(':').length === 3)
  return [isNarrowed ? `${needed}:${place}` : needed]
}

export function whyScopes(scopes: readonly string[]): string {
  return `The access token lacks the scope ${scopes.join(' ')}.`
}
