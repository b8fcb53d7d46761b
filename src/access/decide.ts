import type { JsonObject } from '../foundation/json.ts'
import type { Caller } from '../foundation/route.ts'
import type { Action } from './actions.ts'

/** What a grant says about tools: all of them, those that only read, or names and globs. */
export type ToolScope = 'all' | 'readOnly' | readonly string[]

export type Grant = {
  readonly id: string
  readonly subject: string
  /** Server names; undefined means every server of the group. */
  readonly servers: readonly string[] | undefined
  readonly tools: ToolScope
  /** It is the own grant of this virtual server, written with that and not with the group. */
  readonly virtualServer?: string
}

/** A server's own rule over its tools, which binds everybody. */
export type ToolPolicy = {
  readonly default: 'allow' | 'deny'
  readonly allow: readonly string[]
  readonly deny: readonly string[]
}

export type Target = {
  readonly group: string
  readonly server: string
  readonly policy: ToolPolicy
  /** For tool actions. */
  readonly tool?: TargetTool
  /** The URI of a resource or the name of a prompt, where it is known. Grants do not look at it; policies may. */
  readonly subject?: string
  /** What a virtual server has it from, by its own name. Grants of that are not asked for; its tool policy and what is forbidden of it hold. */
  readonly source?: Omit<Target, 'source'>
}

/** A tool as it is decided about: what is said of it holds, whoever said it. */
export type TargetTool = {
  readonly name: string
  readonly readOnly: boolean
  readonly idempotent?: boolean
}

/** What is known of one request besides who asks for what; policies with conditions read it. Lists have none. */
export type Circumstances = {
  /** The arguments of a tool call or prompt. */
  readonly arguments: JsonObject
  /** Milliseconds since 1970. */
  readonly at: number
  /** The client's address as the socket has it; null over the local socket. */
  readonly address: string | null
  /** The revision of the protocol, such as 2025-11-25, where the request says it. */
  readonly protocol: string | null
  readonly era: 'session' | 'stateless' | null
}

export type Decision = {
  readonly allowed: boolean
  readonly reason: string
  /** Names of the policies that made it; absent where none had a say. */
  readonly policies?: readonly string[]
  /** Names of the policies in shadow mode that would have made it another one. */
  readonly shadow?: readonly string[]
  /** It is the arguments that are refused, so that the caller may be told: the tool is no secret to them. */
  readonly isAboutArguments?: true
}

/** Does a glob (`*` any run, `?` one character) cover the name? Linear backtracking to the last star only, so no pattern is slow. */
export function covers(glob: string, name: string): boolean {
  let g = 0
  let n = 0
  let star = -1
  let resume = 0
  while (n < name.length) {
    if (g < glob.length && glob[g] === '*') {
      star = g++
      resume = n
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === name[n])) {
      g++
      n++
    } else if (star >= 0) {
      g = star + 1
      n = ++resume
    } else return false
  }
  while (glob[g] === '*') g++
  return g === glob.length
}

/** Does the own rule of a server allow the tool to anybody at all? */
export function policyAllows(policy: ToolPolicy, tool: string): boolean {
  if (policy.deny.some(glob => covers(glob, tool))) return false
  return policy.default === 'allow' || policy.allow.some(glob => covers(glob, tool))
}

/** The target, or its source, whose tool policy lets nobody have the tool; undefined where both do. */
export function closedBy(target: Target): Omit<Target, 'source'> | undefined {
  const { policy, tool, source } = target
  if (tool !== undefined && !policyAllows(policy, tool.name)) return target
  return source === undefined ? undefined : closedBy(source)
}

/** Is the group not there for this caller, whatever is granted? */
export function isOutside({ within }: Caller, group: string): boolean {
  return within !== undefined && 'groupPrefix' in within && !group.startsWith(within.groupPrefix)
}

/** Has the caller nothing but what a team is granted? Policies permit them nothing then, and may forbid. */
export function isGrantedOnly({ within }: Caller): boolean {
  return within !== undefined && 'team' in within
}

function scopeAllows(scope: ToolScope, action: Action, tool: Target['tool']): boolean {
  if (scope === 'all') return true
  switch (action) {
    case 'server.use':
    case 'tool.list':
      return true
    case 'tool.call':
      if (tool === undefined) return false
      return scope === 'readOnly' ? tool.readOnly : scope.some(glob => covers(glob, tool.name))
    default:
      // Resources and prompts are read by nature; a grant that names tools gives those tools and nothing else.
      return scope === 'readOnly'
  }
}

/** What one grant gives of this to this caller, or the first reason why nothing. */
export type GrantVerdict =
  | 'gives'
  | 'other subject'
  | 'other server'
  /** It names tools, and not this one. */
  | 'other tools'
  /** It gives what only reads, and this is not confirmed to. */
  | 'not read-only'
  /** It names tools, and this is none. */
  | 'tools only'

export function weigh(caller: Caller, action: Action, target: Target, grant: Grant): GrantVerdict {
  if (isOutside(caller, target.group) || !caller.subjects.includes(grant.subject)) return 'other subject'
  if (grant.servers !== undefined && !grant.servers.includes(target.server)) return 'other server'
  if (scopeAllows(grant.tools, action, target.tool)) return 'gives'
  if (action !== 'tool.call') return 'tools only'
  return grant.tools === 'readOnly' ? 'not read-only' : 'other tools'
}

/** Is it made by what no policy changes: the tool policy of the server, the bounds of a provider, or who types on the gateway's own machine? */
export function isSettled(decision: Decision): boolean {
  return decision === operator || decision === denied.policy || decision === denied.outside
}

const operator = { allowed: true, reason: 'operator of this machine' } as const
const denied = {
  noGrant: { allowed: false, reason: 'no grant' },
  policy: { allowed: false, reason: 'tool policy of the server' },
  outside: { allowed: false, reason: 'outside of what their identity provider is bound to' },
} as const

/**
 * The one decision every path obeys: default deny, pure, no input but its arguments.
 * `grants` are those of the target's group. Admins and managers manage; using a server takes a grant like anybody's.
 * The operator at the gateway's own machine needs none, for they could write one; the server's tool policy binds even them.
 */
export function decide(caller: Caller, action: Action, target: Target, grants: readonly Grant[]): Decision {
  if (closedBy(target) !== undefined) return denied.policy
  if (caller.kind === 'operator') return operator
  if (isOutside(caller, target.group)) return denied.outside
  for (const grant of grants)
    if (weigh(caller, action, target, grant) === 'gives')
      return { allowed: true, reason: `grant ${grant.id} to ${grant.subject}` }
  return denied.noGrant
}
