/** The decision about one thing of one server: what serves calls and what explains them ask here. */
import type { Access, Action, Circumstances, Decision, Target } from '../access/index.ts'
import type { ErrorCode } from '../foundation/errors.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { Caller } from '../foundation/route.ts'
import { type Asker, type Catalogue, type ToolFacts, targetTool, type Upstream } from '../upstreams/index.ts'
import { type Arranged, arrange } from './arguments.ts'
import type { Composition, Item } from './composition.ts'
import { targetOfItem } from './everything.ts'
import { type ComposedServer, everythingId, type Served } from './served.ts'
import { missingScopes, whyScopes } from './token-scope.ts'

export type JudgeParts = {
  readonly access: Pick<Access, 'clear'>
  readonly catalogue: Pick<Catalogue, 'tool' | 'facts' | 'surprise'>
}

/** What is asked of a server, and by whom. */
export type Asked = {
  readonly caller: Caller
  /** As whom a server is read that has to be read for it; the caller unless told. */
  readonly asker?: Asker
  readonly action: Action
  /** The name or URI of the thing that is meant; undefined where it is about the server. */
  readonly subject: string | undefined
  /** The subject may be a URI template, as completion has it. */
  readonly isReference?: boolean
  readonly arguments: JsonObject
  /** Undefined where none are known: the decision is then about whether the thing may be shown. */
  circumstances: ((sent: JsonObject) => Circumstances) | undefined
}

/** How a refusal is told. `absent`: as if the thing were not there. */
export type Refusal =
  | { readonly code: 'absent' }
  /** It is granted, but not to the client that asks. */
  | { readonly code: 'access.scope_missing'; readonly why: string; readonly scopes: readonly string[] }
  | {
      readonly code: Extract<
        ErrorCode,
        'access.not_found' | 'access.policy_forbids' | 'access.tool_held' | 'servers.argument_refused'
      >
      readonly why?: string
    }

export type Verdict = {
  /** As the audit has it. */
  readonly decision: Decision
  /** What was decided about; undefined where there is no such thing. */
  readonly target: Target | undefined
  /** Undefined when it is allowed. */
  readonly refusal: Refusal | undefined
}

export type ItemVerdict = Verdict & {
  /** What is behind the name. */
  readonly item: Item | undefined
  /** The arguments that go to the source, where rules say something of them. */
  readonly arranged: Arranged | undefined
}

export function targetOf(served: Served, tool?: Target['tool']): Target {
  const target = { group: served.group, server: served.name, policy: served.policy }
  return tool === undefined ? target : { ...target, tool }
}

/** The server, or of it the resource or prompt that is meant. */
export function aimedAt(served: Served, action: Action, subject: string | undefined): Target {
  const isThing = subject !== undefined && (action === 'resource.read' || action === 'prompt.get')
  return isThing ? { ...targetOf(served), subject } : targetOf(served)
}

/** May the caller use the server at all? If not, it must look as if there were none. */
export function mayUse(access: Pick<Access, 'clear'>, caller: Caller, served: Served): boolean {
  // Of everything a caller may use, there is always what they may use.
  if (served.id === everythingId) return true
  return access.clear(caller, 'server.use', targetOf(served)).allowed
}

/** The verdict about a server behind the gateway, which is read again for a tool that nobody has heard of. */
export async function judgeCall(parts: JudgeParts, upstream: Upstream, asked: Asked): Promise<Verdict> {
  const { action, subject = '' } = asked
  const known = action === 'tool.call' ? parts.catalogue.tool(upstream.id, subject) : undefined
  const facts =
    action === 'tool.call' && known === undefined ? await surprising(parts, upstream, asked) : known
  return judgeKnown(parts, { upstream, facts }, asked)
}

type KnownUpstream = { readonly upstream: Upstream; readonly facts: ToolFacts | undefined }

/** The verdict by what is known at this moment. `facts` are those of the tool. */
export function judgeKnown(
  { access }: Pick<JudgeParts, 'access'>,
  { upstream, facts }: KnownUpstream,
  asked: Asked,
): Verdict {
  const { caller, action, subject } = asked
  const isTool = action === 'tool.call'
  // A tool the server does not have is refused in the same words as one that is not granted.
  if (isTool && facts === undefined)
    return refused(access, { upstream, asked }, undefined, {
      allowed: false,
      reason: 'no such tool in the catalogue',
    })
  const target = isTool
    ? targetOf(upstream, targetTool(upstream, subject ?? '', facts))
    : aimedAt(upstream, action, subject)
  const decision = access.clear(caller, action, target, circumstancesOf(asked, asked.arguments))
  if (!decision.allowed) return refused(access, { upstream, asked }, target, decision)
  if (facts?.held !== undefined) return held(facts.held, target)
  return outOfScope(asked, target) ?? { decision, target, refusal: undefined }
}

/** Only now, because a client is told of what its person may do, and of nothing else. */
function outOfScope({ caller, action }: Asked, target: Target): Verdict | undefined {
  const scopes = missingScopes(caller, action, target)
  if (scopes === undefined) return undefined
  const why = whyScopes(scopes)
  return {
    decision: { allowed: false, reason: why },
    target,
    refusal: { code: 'access.scope_missing', why, scopes },
  }
}

/** Only those who could call a tool if it were not held are told so. */
function held(why: string, target: Target): Verdict {
  const refusal = { code: 'access.tool_held', why } as const
  return { decision: { allowed: false, reason: `held: ${why}` }, target, refusal }
}

function refused(
  access: Pick<Access, 'clear'>,
  { upstream, asked }: { readonly upstream: Upstream; readonly asked: Asked },
  target: Target | undefined,
  decision: Decision,
): Verdict {
  if (!mayUse(access, asked.caller, upstream))
    return { decision, target, refusal: { code: 'access.not_found' } }
  if (decision.isAboutArguments)
    return { decision, target, refusal: { code: 'access.policy_forbids', why: decision.reason } }
  return { decision, target, refusal: { code: 'absent' } }
}

function circumstancesOf({ circumstances }: Asked, sent: JsonObject): (() => Circumstances) | undefined {
  return circumstances && (() => circumstances(sent))
}

/** A tool nobody has heard of. Only for a caller who may call whatever it turns out to be is the server asked again. */
async function surprising(
  { access, catalogue }: JudgeParts,
  upstream: Upstream,
  { caller, asker = caller, subject: name = '' }: Asked,
): Promise<ToolFacts | undefined> {
  const may = (readOnly: boolean) =>
    access.clear(caller, 'tool.call', targetOf(upstream, { name, readOnly })).allowed
  // Where it depends on the tool, the time to look would tell whether there is one; a server that was never read has nothing to tell.
  const mayWait = may(true) && (may(false) || catalogue.facts(upstream.id) === undefined)
  return mayWait ? catalogue.surprise(upstream, name, asker) : undefined
}

/** The verdict about one thing of several servers behind one address, for a caller who may use that. */
export function judgeItem(
  { access, catalogue }: Pick<JudgeParts, 'access'> & { readonly catalogue: Pick<Catalogue, 'tool'> },
  server: ComposedServer,
  asked: Asked,
): ItemVerdict {
  const item = itemOf(server.composition(), asked)
  if (item === undefined) {
    const decision = { allowed: false, reason: 'nothing of this name is behind this address' }
    return { decision, target: undefined, refusal: { code: 'absent' }, item, arranged: undefined }
  }
  const found = item.arguments && arrange(item.arguments, asked.arguments)
  const wrong = typeof found === 'string' ? found : undefined
  const arranged = typeof found === 'string' ? undefined : found
  const target = targetOfItem(catalogue, item, item.kind === 'template' ? asked.subject : undefined)
  // Arguments that are not taken decide nothing: who may not use the thing is not told of them.
  const circumstances =
    wrong === undefined ? circumstancesOf(asked, arranged?.arguments ?? asked.arguments) : undefined
  const decision = access.clear(asked.caller, asked.action, target, circumstances)
  const judged = judgedItem({ decision, target, wrong }, heldOf(catalogue, item))
  const narrowed = judged.decision.allowed ? outOfScope(asked, target) : undefined
  return { ...(narrowed ?? judged), item, arranged }
}

function heldOf(catalogue: Pick<Catalogue, 'tool'>, { kind, source, own }: Item): string | undefined {
  return kind === 'tool' ? catalogue.tool(source.id, own)?.held : undefined
}

type Judged = {
  readonly decision: Decision
  readonly target: Target
  readonly wrong: string | undefined
}

function judgedItem({ decision, target, wrong }: Judged, why: string | undefined): Verdict {
  if (!decision.allowed && decision.isAboutArguments)
    return { decision, target, refusal: { code: 'access.policy_forbids', why: decision.reason } }
  if (!decision.allowed) return { decision, target, refusal: { code: 'absent' } }
  if (why !== undefined) return held(why, target)
  const refusal =
    wrong === undefined ? undefined : ({ code: 'servers.argument_refused', why: wrong } as const)
  return { decision, target, refusal }
}

function itemOf(composition: Composition, { action, subject = '', isReference }: Asked): Item | undefined {
  switch (action) {
    case 'tool.call':
      return composition.find('tool', subject)
    case 'prompt.get':
      return composition.find('prompt', subject)
    case 'resource.read':
      return isReference
        ? (composition.find('template', subject) ?? composition.resource(subject))
        : composition.resource(subject)
    default:
      return undefined
  }
}
