/** Decisions of the audit, made again in two worlds. */
import { setImmediate } from 'node:timers/promises'
import type { Action, Circumstances } from '../access/index.ts'
import type { AuditEvent } from '../audit/index.ts'
import { canonical, isObject, type JsonObject } from '../foundation/json.ts'
import type { StandIn } from '../identity/index.ts'
import type { Asked, World } from '../servers/index.ts'

/** What a method of MCP asks for. */
export type Method = { readonly action: Action; readonly subject?: 'name' | 'uri' | 'ref' | 'task' }

export type Side = {
  readonly world: World
  /** The people of that world; the operator is always there. */
  who(event: AuditEvent): StandIn | undefined
}

export type Outcome =
  | { readonly is: 'decided'; readonly before: Judged; readonly after: Judged }
  /** It cannot be said exactly. */
  | { readonly is: 'undecided'; readonly why: Undecided }

export type Judged = {
  readonly allowed: boolean
  /** Why, as the audit would have it. */
  readonly reason: string
  /** As the audit has decisions: a refusal of arguments by a virtual server is none. */
  readonly isCleared: boolean
}

export type Undecided = 'arguments' | 'circumstances' | 'caller' | 'thing' | 'method'

export type Replayed = { readonly event: AuditEvent; readonly outcome: Outcome }

/** How many decisions are made before others get their turn. */
const breath = 100

export async function replay(
  events: readonly AuditEvent[],
  sides: { readonly before: Side; readonly after: Side },
  methods: ReadonlyMap<string, Method>,
): Promise<Replayed[]> {
  const replayed: Replayed[] = []
  for (const event of events) {
    replayed.push({ event, outcome: outcomeOf(event, sides, methods.get(event.action)) })
    if (replayed.length % breath === 0) await setImmediate()
  }
  return replayed
}

function outcomeOf(
  event: AuditEvent,
  { before, after }: { readonly before: Side; readonly after: Side },
  method: Method | undefined,
): Outcome {
  // What completion is about is not in the audit exactly.
  if (method === undefined || method.subject === 'ref') return { is: 'undecided', why: 'method' }
  const known = before.who(event)
  if (known === undefined || known.refused !== undefined) return { is: 'undecided', why: 'caller' }
  const first = judge(before, event, method)
  if (first.isGone) return { is: 'undecided', why: 'thing' }
  const second = judge(after, event, method)
  const isOtherRules = canonical(first.rules ?? null) !== canonical(second.rules ?? null)
  if (isOtherRules && argumentsOf(event, method) === undefined) return { is: 'undecided', why: 'arguments' }
  const why = first.unsaid ?? second.unsaid
  return why === undefined ? { is: 'decided', before: first, after: second } : { is: 'undecided', why }
}

type Found = Judged & {
  readonly isGone: boolean
  readonly rules: unknown
  /** What a policy asked for and the audit does not say. */
  readonly unsaid: 'arguments' | 'circumstances' | undefined
}

const plain = { isGone: false, rules: undefined, unsaid: undefined, isCleared: false }

function judge({ world, who }: Side, event: AuditEvent, method: Method): Found {
  const found = who(event)
  if (found === undefined) return { ...plain, allowed: false, reason: 'there is no such caller any more' }
  if (found.refused !== undefined) return { ...plain, allowed: false, reason: found.refused }
  const place = event.target ?? '/mcp'
  const unsaid = new Set<'arguments' | 'circumstances'>()
  const given = argumentsOf(event, method)
  const asked: Asked = {
    caller: found.caller,
    action: method.action,
    subject: method.subject === undefined ? undefined : (event.subject ?? ''),
    arguments: given ?? {},
    // A task was decided with its arguments when it was made.
    circumstances:
      method.subject === 'task' ? undefined : sent => circumstancesOf(event, given && sent, unsaid),
  }
  const verdict = world.judge(place, asked)
  const { decision, refusal, item, target } = verdict
  // What is refused whatever its arguments say needs none.
  const isSure =
    unsaid.size === 0 || !world.judge(place, { ...asked, circumstances: undefined }).decision.allowed
  const [missing] = unsaid
  return {
    allowed: refusal === undefined,
    isCleared: decision.allowed,
    reason: decision.reason,
    isGone: asked.subject !== undefined && target === undefined,
    rules: item?.arguments,
    unsaid: isSure ? undefined : missing,
  }
}

/** The arguments as far as the audit has them; undefined where it does not say. */
function argumentsOf(
  { input, decision, error }: AuditEvent,
  { action, subject }: Method,
): JsonObject | undefined {
  if (action !== 'tool.call' && action !== 'prompt.get') return {}
  if (subject === 'task') return {}
  if (isObject(input?.arguments)) return input.arguments
  // Of a call that went through, none were sent; of one that was refused nobody noted whether.
  const wentThrough = decision?.allowed === true && error !== 'servers.argument_refused'
  return action === 'tool.call' && input === null && wentThrough ? {} : undefined
}

/** What the audit says of a request; notes what a policy asks for beyond that. */
function circumstancesOf(
  { at, who, era }: AuditEvent,
  sent: JsonObject | undefined,
  unsaid: Set<'arguments' | 'circumstances'>,
): Circumstances {
  return {
    ...{ at, address: who.address, era },
    get arguments() {
      if (sent === undefined) unsaid.add('arguments')
      return sent ?? {}
    },
    get protocol() {
      unsaid.add('circumstances')
      return null
    },
  }
}
