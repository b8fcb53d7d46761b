/** The steps of a decision, each as a sentence. They say what was found; they decide nothing. */
import { covers, type GrantVerdict, type Weighed } from '../access/index.ts'
import { nearest } from '../foundation/nearest.ts'
import type { ToolFacts } from '../upstreams/index.ts'
import type { Composition } from './composition.ts'
import type { ExplainParts, Findings } from './explain.ts'
import { few, grantText, type Step, shortly } from './explained.ts'
import { type Addressed, everythingId, isComposed } from './served.ts'

export function stepsOf(parts: ExplainParts, findings: Findings): Step[] {
  const { explanation, question, item } = findings
  const seesSource = item === undefined || question.inspects(item.source.group)
  const isSettled = question.caller.kind === 'operator'
  return [
    serverStep(parts, findings),
    ...thingSteps(parts, findings),
    ...toolPolicySteps(findings),
    ...(explanation === undefined ? [] : [grantStep(parts, findings)]),
    ...(isSettled ? [] : policySteps('policies', explanation?.policies ?? [], findings)),
    ...(seesSource
      ? policySteps('source policies', explanation?.sourcePolicies ?? [], findings)
      : hiddenSteps(explanation?.sourcePolicies ?? [])),
    ...pinSteps(parts, findings),
    ...argumentSteps(findings),
  ]
}

function serverStep(parts: ExplainParts, { served, question }: Findings): Step {
  const { place } = question
  const [group = ''] = place.split('/')
  if (served === undefined) {
    const missing =
      parts.access.group(group) === undefined
        ? `There is no group ${shortly(group)}.`
        : `The group ${group} has no server of this name, or it is a virtual one that is not published.`
    return { step: 'server', outcome: 'stops', says: missing + meant(place, parts.places()) }
  }
  return { step: 'server', outcome: 'passes', says: serverText(parts, served, place) }
}

function serverText({ catalogue }: ExplainParts, served: Addressed, place: string): string {
  if (served.id === everythingId) {
    const items = isComposed(served) ? served.composition().items.length : 0
    return `${place} is everything they may use as one server: ${items} things.`
  }
  if (isComposed(served)) return `${place} is a virtual server.${unreadText(served.composition())}`
  const trouble = catalogue.trouble(served.id)
  return `${place} is a server.${trouble === undefined ? '' : ` ${trouble}`}`
}

function unreadText({ missing }: Composition): string {
  if (missing.length === 0) return ''
  return ` Missing of its sources: ${missing.map(({ server, why }) => `${server} (${why})`).join(', ')}`
}

function meant(name: string, candidates: readonly string[]): string {
  const isNear = ({ length }: string) => Math.abs(length - name.length) <= name.length / 3 + 1
  const found = name.length > 200 ? undefined : nearest(name, candidates.filter(isNear).slice(0, 2000))
  return found === undefined || found === name ? '' : ` Did you mean ${found}?`
}

function thingSteps(parts: ExplainParts, findings: Findings): Step[] {
  const { question, served, item, trouble } = findings
  const { thing } = question
  if (thing === undefined || served === undefined) return []
  const passes = (says: string): Step[] => [{ step: 'thing', outcome: 'passes', says }]
  const stops = (says: string): Step[] => [{ step: 'thing', outcome: 'stops', says }]
  if (trouble !== undefined) return stops(`The server could not be read: ${trouble.why}`)
  if (item !== undefined)
    return passes(`It is the ${item.kind} ${shortly(item.own)} of ${item.source.group}/${item.source.name}.`)
  if (isComposed(served)) return stops(missingText(served, findings))
  const names = parts.catalogue.items(served.id).filter(({ kind }) => kind === thing.kind)
  if (thing.kind !== 'tool') {
    const says = `Whether there is such a ${thing.kind}, the server itself answers.`
    return [{ step: 'thing', outcome: 'tells', says }]
  }
  return findings.verdict.target === undefined
    ? stops(
        `The server has no tool of this name, as it was last read.${meant(
          thing.name,
          names.map(({ name }) => name),
        )}`,
      )
    : passes('The server has the tool.')
}

function missingText(served: Addressed, { question }: Findings): string {
  const { place, thing } = question
  const composition = isComposed(served) ? served.composition() : undefined
  const names = composition?.items.filter(({ kind }) => kind === thing?.kind).map(({ name }) => name) ?? []
  const none = `Nothing of this name is behind ${place}.${meant(thing?.name ?? '', names)}`
  return served.id === everythingId
    ? `${none} Ask about its server by name, which says why it is not there.`
    : none
}

function toolPolicySteps({ explanation, target, question }: Findings): Step[] {
  if (target?.tool === undefined || explanation === undefined) return []
  const { closedBy } = explanation
  if (closedBy === undefined)
    return [
      {
        step: 'tool policy',
        outcome: 'passes',
        says: 'The tool policy of the server has nothing against it.',
      },
    ]
  const place = `${closedBy.group}/${closedBy.server}`
  const name = closedBy.tool?.name ?? ''
  const denying = closedBy.policy.deny.filter(glob => covers(glob, name))
  const why = denying.length > 0 ? `deny has ${few(denying)}` : 'default is deny, and allow does not have it'
  const says = `The tool policy of ${place} lets nobody call it${question.inspects(closedBy.group) ? `: ${why}` : ''}.`
  return [{ step: 'tool policy', outcome: 'stops', says }]
}

function grantStep({ catalogue }: ExplainParts, findings: Findings): Step {
  const { explanation, question, target, item, served } = findings
  const step = 'grants'
  if (question.caller.kind === 'operator')
    return { step, outcome: 'passes', says: 'The operator of this machine needs no grant.' }
  const { grants = [], otherGrants = 0, decision } = explanation ?? {}
  const group = target?.group ?? ''
  if (grants.length === 0) {
    const others = otherGrants === 0 ? 'There is no other.' : `${otherGrants} are for others.`
    // A policy may permit what no grant gives.
    const outcome = decision?.allowed ? 'tells' : 'stops'
    return { step, outcome, says: `No grant of the group ${group} is for ${question.subject}. ${others}` }
  }
  const facts =
    target?.tool && catalogue.tool(item?.source.id ?? served?.id ?? '', item?.own ?? target.tool.name)
  const lines = grants.map(({ grant, gives }) => {
    const own =
      grant.virtualServer === undefined ? '' : `, written with the virtual server ${grant.virtualServer}`
    const { tools, subject, servers } = grant
    const text = grantText({
      subject,
      ...(servers && { servers: [...servers] }),
      ...(tools !== 'all' && { tools: tools === 'readOnly' ? tools : [...tools] }),
    })
    return `The grant ${grant.id} of the group ${group} ${text}${own}: ${reason(gives, facts)}`
  })
  const isGiven = grants.some(({ gives }) => gives === 'gives')
  const outcome = isGiven ? 'passes' : decision?.allowed ? 'tells' : 'stops'
  return { step, outcome, says: lines.join('\n') }
}

function reason(gives: GrantVerdict, facts: ToolFacts | undefined): string {
  switch (gives) {
    case 'gives':
      return 'it gives this.'
    case 'not read-only':
      return `nobody has confirmed that the tool only reads${facts?.readOnly ? ', which its server claims' : ''}.`
    case 'other server':
      return 'it is for other servers.'
    case 'other tools':
      return 'it is for other tools.'
    case 'tools only':
      return 'it names tools, and so gives no resources or prompts.'
    case 'other subject':
      return 'it is for somebody else.'
  }
}

function policySteps(
  step: 'policies' | 'source policies',
  weighed: readonly Weighed[],
  { question, circumstances }: Findings,
): Step[] {
  // The permits of a source give nothing to those who have it by a virtual server.
  const counting = weighed.filter(({ effect }) => step === 'policies' || effect === 'forbid')
  const said = counting.map((each): Step => ({ step, ...policyText(each) }))
  const isSaid = (name: string) =>
    name === 'address' ? question.address !== undefined : name === 'time' && question.at !== undefined
  const unsaid = ['address', 'protocol', 'era'].filter(
    name => !isSaid(name) && counting.some(({ reads }) => reads.includes(name)),
  )
  if (circumstances === undefined || unsaid.length === 0) return said
  const says = `The question says nothing of: ${unsaid.join(', ')}. It was decided as if there were none.`
  return [...said, { step, outcome: 'tells', says }]
}

function policyText(weighed: Weighed): Omit<Step, 'step'> {
  const { policy, effect, isEnforced, verdict, reads } = weighed
  const isForbid = effect === 'forbid'
  const shadow = isEnforced ? '' : ' It is in shadow mode and decides nothing.'
  const said = (outcome: Step['outcome'], says: string) => ({
    outcome: isEnforced ? outcome : ('tells' as const),
    says: `${says}${shadow}`,
  })
  switch (verdict) {
    case 'met':
      return isForbid
        ? said('stops', forbidText(weighed))
        : said('passes', `The policy ${policy} permits this.`)
    case 'failed':
      return isForbid
        ? said('stops', forbidText(weighed))
        : said('tells', `The policy ${policy} could not be evaluated, and so permits nothing.`)
    case 'open':
      return said(
        'depends',
        `The policy ${policy} ${isForbid ? 'forbids' : 'permits'} this depending on ${few(reads)}.`,
      )
    case 'unmet':
      return said('tells', `The policy ${policy} does not apply: its condition is not met.`)
  }
}

/** Its own sentence, which may be of the author's words and not name the policy. */
function forbidText({ policy, says }: Weighed): string {
  return says.startsWith(`The policy ${policy} `) ? says : `The policy ${policy} forbids: ${says}`
}

function hiddenSteps(weighed: readonly Weighed[]): Step[] {
  const isAgainst = ({ effect, verdict, isEnforced }: Weighed) =>
    isEnforced && effect === 'forbid' && (verdict === 'met' || verdict === 'failed')
  if (!weighed.some(isAgainst)) return []
  const says = 'Its source forbids it. Who manages that can see why.'
  return [{ step: 'source policies', outcome: 'stops', says }]
}

function pinSteps({ catalogue }: ExplainParts, { item, served, target }: Findings): Step[] {
  if (target?.tool === undefined) return []
  const id = item?.source.id ?? served?.id ?? ''
  const held = catalogue.tool(id, item?.own ?? target.tool.name)?.held
  return held === undefined
    ? [{ step: 'pin', outcome: 'passes', says: 'Its definition is approved.' }]
    : [{ step: 'pin', outcome: 'stops', says: `It is held: ${held}` }]
}

function argumentSteps({ item, verdict, sent, question }: Findings): Step[] {
  if (item?.arguments === undefined) return []
  const step = 'arguments'
  const { refusal } = verdict
  if (refusal?.code === 'servers.argument_refused')
    return [{ step, outcome: 'stops', says: refusal.why ?? 'The arguments are not taken.' }]
  const rules = Object.entries(item.arguments)
  const set = rules.filter(([, { value }]) => value !== undefined).map(([name]) => name)
  const others = rules.map(([name]) => name).filter(name => !set.includes(name))
  const texts = [
    ...(set.length > 0 ? [`The virtual server sets ${few(set)}.`] : []),
    ...(others.length > 0 ? [`It has rules for ${few(others)}.`] : []),
    ...(question.arguments !== undefined && sent !== undefined
      ? [`Sent would be ${shortly(JSON.stringify(sent))}.`]
      : []),
  ]
  return [{ step, outcome: 'passes', says: texts.join(' ') }]
}
