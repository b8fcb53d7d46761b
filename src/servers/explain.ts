/** Why a caller may do something, or not: the verdict of the code that serves calls, and what it came from. */
import type { Access, Action, Circumstances, Explanation, Grant, Target } from '../access/index.ts'
import { GatewayError } from '../foundation/errors.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { Caller } from '../foundation/route.ts'
import { type Catalogue, gatewayItself } from '../upstreams/index.ts'
import type { Item } from './composition.ts'
import { targetOfItem } from './everything.ts'
import { stepsOf } from './explain-steps.ts'
import { type Explained, everythingPlace, type Step, shownDecision, type Thing } from './explained.ts'
import {
  type Asked,
  judgeCall,
  judgeItem,
  mayUse,
  type Refusal,
  targetOf,
  type Verdict,
} from './judge-call.ts'
import { type Addressed, everythingId, isComposed } from './served.ts'
import { waysOf } from './ways.ts'

export type ExplainParts = {
  readonly access: Pick<Access, 'clear' | 'explain' | 'suppose' | 'group'>
  readonly catalogue: Pick<
    Catalogue,
    'tool' | 'facts' | 'surprise' | 'items' | 'trouble' | 'pins' | 'neighbours'
  >
  find(group: string, name: string): Addressed | undefined
  everything(caller: Caller): Addressed
  /** Every `group/server`. */
  places(): readonly string[]
  /** The tool that a virtual server would have, did the tool policy of its source not keep it from everybody. */
  keptFrom(place: string, tool: string): Item | undefined
}

export type Question = {
  readonly caller: Caller
  /** How the question names the caller, and a grant would. */
  readonly subject: string
  /** Who that is to the gateway. */
  readonly about: Step
  /** Makes a subject that is refused as a whole good again. */
  readonly revival?: { readonly says: string; readonly command?: string } | undefined
  /** `group/server` or `/mcp`. */
  readonly place: string
  readonly thing: Thing | undefined
  readonly arguments?: JsonObject | undefined
  /** Address and time of the call, where they are said. */
  readonly address?: string | undefined
  readonly at?: number | undefined
  /** May whoever asks see how the group decides? */
  inspects(group: string): boolean
}

/** Everything that was found out about a question. */
export type Findings = {
  readonly question: Question
  readonly served: Addressed | undefined
  readonly verdict: Verdict
  /** What a virtual server has it from. */
  readonly item: Item | undefined
  /** Arguments as they go to the server, where rules say something of them. */
  readonly sent: JsonObject | undefined
  /** Why the server could not be asked. */
  readonly trouble: GatewayError | undefined
  readonly action: Action
  /** What is decided about: the thing where there is one, else the server; undefined where there is neither. */
  readonly target: Target | undefined
  readonly explanation: Explanation | undefined
  readonly circumstances: (() => Circumstances) | undefined
}

const actions = { tool: 'tool.call', resource: 'resource.read', prompt: 'prompt.get' } as const

export async function explain(parts: ExplainParts, question: Question): Promise<Explained> {
  const findings = await findOut(parts, question)
  const { verdict, explanation, item, trouble, target } = findings
  const allowed = verdict.refusal === undefined && trouble === undefined && question.revival === undefined
  const steps = [question.about, ...stepsOf(parts, findings)]
  const depends = allowed && steps.some(({ outcome }) => outcome === 'depends')
  const giving = explanation?.grants.find(({ gives }) => gives === 'gives')?.grant
  return {
    allowed,
    depends,
    says: sentence(question, { allowed, depends }),
    subject: question.subject,
    server: question.place,
    thing: question.thing ?? null,
    decision: shownDecision(
      question.revival === undefined ? verdict.decision : { allowed: false, reason: question.about.says },
    ),
    error: trouble?.code ?? errorOf(verdict.refusal, question),
    grant: allowed && giving !== undefined ? grantOf(giving, target?.group ?? '') : null,
    source: item === undefined ? null : { server: placeOf(item.source), name: item.own },
    steps,
    wouldChange: allowed ? [] : waysOf(parts, findings),
  }
}

export async function findOut(parts: ExplainParts, question: Question): Promise<Findings> {
  const { caller, place } = question
  const [group = '', name = ''] = place.split('/')
  const served = place === everythingPlace ? parts.everything(caller) : parts.find(group, name)
  const asked = askedOf(question)
  const made = await judged(parts, served, asked)
  const isThing = made.verdict.target !== undefined
  const action = isThing ? asked.action : 'server.use'
  const target = made.verdict.target ?? (served?.id === everythingId ? undefined : served && targetOf(served))
  // Arguments that are not taken decide nothing.
  const isTaken = made.verdict.refusal?.code !== 'servers.argument_refused'
  const { circumstances: known } = asked
  const circumstances = isTaken ? known && (() => known(made.sent ?? asked.arguments)) : undefined
  const explanation = target && parts.access.explain(caller, action, target, circumstances)
  return { question, served, action, target, explanation, circumstances, ...made }
}

function askedOf({ caller, thing, arguments: given, address, at }: Question): Asked {
  const isSaid = given !== undefined || address !== undefined || at !== undefined
  const circumstances = (sent: JsonObject): Circumstances => ({
    arguments: sent,
    at: at ?? Date.now(),
    address: address ?? null,
    protocol: null,
    era: null,
  })
  return {
    caller,
    action: thing === undefined ? 'server.use' : actions[thing.kind],
    subject: thing?.name,
    arguments: given ?? {},
    circumstances: isSaid ? circumstances : undefined,
  }
}

type Made = Pick<Findings, 'verdict' | 'item' | 'sent' | 'trouble'>

const plain = { item: undefined, sent: undefined, trouble: undefined }
const gone = { code: 'access.not_found' } as const

async function judged(parts: ExplainParts, served: Addressed | undefined, asked: Asked): Promise<Made> {
  if (served === undefined) {
    const decision = { allowed: false, reason: 'no such server' }
    return { ...plain, verdict: { decision, target: undefined, refusal: gone } }
  }
  if (asked.subject === undefined) return { ...plain, verdict: judgedServer(parts, served, asked.caller) }
  if (!isComposed(served)) return judgedDirectly(parts, served, asked)
  const { arranged, item: found, ...said } = judgeItem(parts, served, asked)
  const item = found ?? parts.keptFrom(placeOf(served), asked.action === 'tool.call' ? asked.subject : '')
  const verdict = { ...said, target: said.target ?? (item && targetOfItem(parts.catalogue, item)) }
  const made = { item, sent: arranged?.arguments, trouble: undefined }
  // As the gateway takes a call: the server first, then the thing.
  if (mayUse(parts.access, asked.caller, served)) return { ...made, verdict }
  const decision = verdict.decision.allowed
    ? parts.access.clear(asked.caller, 'server.use', targetOf(served))
    : verdict.decision
  return { ...made, verdict: { ...verdict, decision, refusal: gone } }
}

function judgedServer({ access }: ExplainParts, served: Addressed, caller: Caller): Verdict {
  const decision =
    served.id === everythingId
      ? { allowed: true, reason: 'each thing is decided about by itself' }
      : access.clear(caller, 'server.use', targetOf(served))
  return { decision, target: undefined, refusal: mayUse(access, caller, served) ? undefined : gone }
}

/** Nothing is done as whom one asks about: where a server has to be read for the answer, the gateway reads it. */
async function judgedDirectly(
  parts: ExplainParts,
  served: Parameters<typeof judgeCall>[1],
  asked: Asked,
): Promise<Made> {
  try {
    return { ...plain, verdict: await judgeCall(parts, served, { ...asked, asker: gatewayItself }) }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const decision = { allowed: false, reason: 'the server could not be read' }
    return { ...plain, trouble: error, verdict: { decision, target: undefined, refusal: undefined } }
  }
}

function errorOf(refusal: Refusal | undefined, { thing, revival }: Question): string | null {
  if (revival !== undefined) return 'identity.bad_token'
  if (refusal === undefined) return null
  return refusal.code === 'absent' ? `access.${thing?.kind ?? 'tool'}_unknown` : refusal.code
}

function grantOf({ id, subject, servers, tools, virtualServer }: Grant, group: string): Explained['grant'] {
  return {
    ...{ id, group, subject },
    ...(servers && { servers: [...servers] }),
    ...(tools !== 'all' && { tools: tools === 'readOnly' ? tools : [...tools] }),
    ...(virtualServer !== undefined && { virtualServer }),
  }
}

const verbs = { tool: 'call the tool', resource: 'read the resource', prompt: 'get the prompt' } as const

export function sentence(
  { subject, place, thing }: Question,
  { allowed, depends }: Pick<Explained, 'allowed' | 'depends'>,
): string {
  const may = depends ? 'may, depending on what the question does not say,' : allowed ? 'may' : 'may not'
  const what = thing === undefined ? `use ${place}` : `${verbs[thing.kind]} ${thing.name} of ${place}`
  return `${subject} ${may} ${what}.`
}

export function placeOf({ group, name }: { readonly group: string; readonly name: string }): string {
  return `${group}/${name}`
}
