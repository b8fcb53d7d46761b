/** What would make a refused thing allowed. Every way is tried out first, by the code that decides; one that would not do is not told. */
import { covers, type Grant, type Supposition, type Target, type ToolPolicy } from '../access/index.ts'
import { type ToolPolicy as ServerPolicy, takesDespite } from '../upstreams/index.ts'
import type { ExplainParts, Findings } from './explain.ts'
import type { Change, Explained } from './explained.ts'

type Ways = Explained['wouldChange']

export function waysOf(parts: ExplainParts, findings: Findings): Ways {
  const { explanation, target, verdict, question, trouble } = findings
  if (explanation === undefined || target === undefined || trouble !== undefined) return []
  if (question.thing !== undefined && verdict.target === undefined) return []
  const common = commonChanges(parts, findings)
  if (common === undefined) return []
  const opened = openedTarget(target)
  const ways = decisionWays(parts, findings, opened).map(changes => {
    // A confirmation says the whole tool policy, and has the opening in it.
    const isSaid = changes.some(({ tools }) => tools !== undefined)
    return { all: [...changes, ...common.filter(({ tools }) => tools === undefined || !isSaid)] }
  })
  return ways.filter(({ all }) => all.length > 0)
}

/** What every way takes besides the decision; undefined where there is something that nobody here can change. */
function commonChanges(parts: ExplainParts, findings: Findings): Change[] | undefined {
  const { question, explanation, verdict } = findings
  const { closedBy } = explanation ?? {}
  if (closedBy !== undefined && !question.inspects(closedBy.group)) return undefined
  const pin = pinChange(parts, findings)
  if (pin === 'not yours') return undefined
  const { refusal } = verdict
  const refused = refusal?.code === 'servers.argument_refused' ? refusal.why : undefined
  return [
    ...(question.revival === undefined ? [] : [question.revival]),
    ...(closedBy?.tool === undefined ? [] : [opening(closedBy, closedBy.tool.name)]),
    ...(pin === undefined ? [] : [pin]),
    ...(refused === undefined ? [] : [{ says: `Call it with other arguments. ${refused}` }]),
  ]
}

function opening({ group, server, policy }: Omit<Target, 'source'>, tool: string): Change {
  const tools = openedPolicy(policy, tool)
  const says = `Let the tool policy of ${group}/${server} allow ${tool}: in the manifest, under tools of the server.`
  return { says, server: `${group}/${server}`, tools }
}

/** The nearest tool policy that lets everybody have the tool. */
function openedPolicy<Policy extends ToolPolicy>(policy: Policy, tool: string): Policy {
  const deny = policy.deny.filter(glob => !covers(glob, tool))
  const isAllowed = policy.default === 'allow' || policy.allow.some(glob => covers(glob, tool))
  return { ...policy, deny, allow: isAllowed ? policy.allow : [...policy.allow, tool] }
}

/** What is decided about, were the tool policies of its servers open to it. */
function openedTarget(target: Target): Target {
  const { tool, source } = target
  if (tool === undefined) return target
  const policy = openedPolicy(target.policy, tool.name)
  if (source?.tool === undefined) return { ...target, policy }
  return { ...target, policy, source: { ...source, policy: openedPolicy(source.policy, source.tool.name) } }
}

function pinChange(
  { catalogue }: ExplainParts,
  { item, served, target, question }: Findings,
): Change | 'not yours' | undefined {
  if (target?.tool === undefined) return undefined
  const { id, group, name } = item?.source ?? served ?? { id: '', group: '', name: '' }
  const own = item?.own ?? target.tool.name
  if (catalogue.tool(id, own)?.held === undefined) return undefined
  if (!question.inspects(group)) return 'not yours'
  const force = takesDespite(catalogue, id, own) ? ' --despite-findings' : ''
  return {
    says: `Look at the definition of the tool, and approve it${force === '' ? '' : ' although something was found in it'}.`,
    command: `gatehouse tools approve${force} ${group}/${name} ${own.startsWith('-') ? '-- ' : ''}${quoted(own)}`,
  }
}

/** What would have to be decided otherwise: each way with its changes; one without changes where nothing has to. */
function decisionWays(parts: ExplainParts, findings: Findings, target: Target): Change[][] {
  const { explanation, question } = findings
  const against = [...(explanation?.policies ?? []), ...(explanation?.sourcePolicies ?? [])]
    .filter(({ isEnforced, effect }) => isEnforced && effect === 'forbid')
    .filter(({ verdict }) => verdict === 'met' || verdict === 'failed')
  const without = [...new Set(against.map(({ policy }) => policy))]
  const seesPolicies = findings.item === undefined || question.inspects(findings.item.source.group)
  const would = (supposition: Supposition, about = target) =>
    tryOut(parts, findings, { supposition, target: about })
  if (would({})) return [[]]
  if (without.length > 0 && !seesPolicies) return []
  const removals = without.map(
    (policy): Change => ({
      says: `Change or remove the policy ${policy}, which forbids it.`,
      command: `gatehouse policy remove ${policy}`,
    }),
  )
  if (without.length > 0 && would({ without })) return [removals]
  return [
    ...confirmations(findings, target).flatMap(({ change, about }) =>
      would({ without }, about) ? [[change, ...removals]] : [],
    ),
    ...grantings(findings, target).flatMap(({ change, grant }) =>
      would({ without, grant: { group: target.group, grant } }) ? [[change, ...removals]] : [],
    ),
  ]
}

type Trial = { readonly supposition: Supposition; readonly target: Target }

function tryOut({ access }: ExplainParts, findings: Findings, { supposition, target }: Trial): boolean {
  const { action, circumstances, question } = findings
  const draft = access.suppose(supposition)
  try {
    return draft.clear(question.caller, action, target, circumstances).allowed
  } finally {
    draft.close()
  }
}

/** A grant of what only reads gives a tool once that is confirmed of it. */
function confirmations(
  { explanation, question, item, served }: Findings,
  target: Target,
): { change: Change; about: Target }[] {
  const { tool, source } = target
  const isWanting = explanation?.grants.some(({ gives }) => gives === 'not read-only') === true
  const upstream = item?.source ?? served
  if (!isWanting || tool === undefined || upstream === undefined || !question.inspects(upstream.group))
    return []
  const own = source?.tool?.name ?? tool.name
  const policy: ServerPolicy = upstream.policy
  const tools = { ...openedPolicy(policy, own), readOnly: [...(policy.readOnly ?? []), own] }
  const place = `${upstream.group}/${upstream.name}`
  const says = `Confirm that ${own} only reads, if it does: under tools of ${place} in the manifest.`
  const about = {
    ...target,
    tool: { ...tool, readOnly: true },
    ...(source?.tool && { source: { ...source, tool: { ...source.tool, readOnly: true } } }),
  }
  return [{ change: { says, server: place, tools }, about }]
}

function grantings({ question }: Findings, target: Target): { change: Change; grant: Grant }[] {
  const { group, server, tool } = target
  const { subject, caller } = question
  if (caller.kind === 'operator') return []
  // A comma would be two names to the command, a glob more than one tool, and a hyphen an option.
  const isNamed = tool !== undefined && !/[,*?]|^-|^\s|\s$|^readOnly$/.test(tool.name)
  const tools = isNamed ? [tool.name] : 'all'
  const what = isNamed ? ` --tools ${quoted(tool.name)}` : ''
  const command = `gatehouse group grant ${group} ${quoted(subject)} --servers ${server}${what}`
  const grant = { id: 'supposed', subject, servers: [server], tools } as const
  return [{ change: { says: 'Give a grant.', command }, grant }]
}

/** A word of a command line as a shell takes it. */
function quoted(word: string): string {
  return /^[\w@.:/+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
