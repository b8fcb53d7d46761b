/** Is a policy good? Everything that is wrong with it, each at its place in the text. */
import { nearest } from '../../foundation/nearest.ts'
import { type CedarType, typeAt } from './argument-types.ts'
import { type Cedar, type DetailedError, reading, type TypeAndId } from './cedar.ts'
import { strangerOf } from './named.ts'
import type { Names } from './offers.ts'
import { bytesTo, type PolicyProblem, problemAt, type Said, sentence } from './problem.ts'
import { type Reach, reachOf } from './reach.ts'
import { argumentsRead, type Reads, readsOf } from './reads.ts'
import { argumentsOf, disagreement, type InScope, inScope, schemaFor } from './schema.ts'
import { isTooDeep, mostStatements, type Part, partsOf } from './statement.ts'

export type Checked = {
  readonly problems: readonly PolicyProblem[]
  /** What could not be checked. */
  readonly warnings: readonly PolicyProblem[]
}

const tooDeep: Said = {
  why: 'It is nested too deeply.',
  fix: 'Write several statements, or a set and contains() in place of a long chain.',
}
const noStatement: Said = { why: 'There is no statement in it.', fix: 'Write permit (...) or forbid (...).' }
const template: Said = {
  why: 'Templates with ?principal or ?resource are not used here.',
  fix: 'Name the principal and the resource.',
}

export function checkPolicy(text: string, names: Names): Checked {
  if (isTooDeep(text)) return refused(text, tooDeep)
  const syntax = reading(cedar => syntaxProblems(cedar, text))
  if (syntax === undefined) return refused(text, tooDeep)
  if (syntax.length > 0) return { problems: syntax, warnings: [] }
  const parts = partsOf(text)
  if (parts === undefined) return refused(text, tooDeep)
  if (parts.length === 0) return refused(text, noStatement)
  if (parts.length > mostStatements)
    return refused(text, {
      why: `It has ${parts.length} statements.`,
      fix: `Write at most ${mostStatements} in one policy.`,
    })
  const checked = placed(text, parts).map(each => checkPart(each, names))
  return {
    problems: inOrder(checked.flatMap(({ problems }) => problems)),
    warnings: inOrder(checked.flatMap(({ warnings }) => warnings)),
  }
}

function refused(text: string, said: Said): Checked {
  return { problems: [problemAt(text, 0, said)], warnings: [] }
}

/** In order of place, and each once: Cedar says some of them for every kind of principal. */
function inOrder(problems: readonly PolicyProblem[]): PolicyProblem[] {
  const once = new Map(problems.map(each => [JSON.stringify(each), each]))
  return [...once.values()].sort((a, b) => a.line - b.line || a.column - b.column)
}

function syntaxProblems(cedar: Cedar, text: string): PolicyProblem[] {
  const parts = cedar.policySetTextToParts(text)
  if (parts.type === 'success' && parts.policy_templates.length > 0) return [problemAt(text, 0, template)]
  const answer = cedar.checkParsePolicySet({ staticPolicies: text })
  return answer.type === 'success'
    ? []
    : answer.errors.flatMap(withRelated).map(error => asProblem(text, 0, error))
}

function withRelated(error: DetailedError): DetailedError[] {
  return [error, ...(error.related ?? []).flatMap(withRelated)]
}

function asProblem(text: string, from: number, error: DetailedError): PolicyProblem {
  const [place] = error.sourceLocations ?? []
  const message = error.message
    .replace(/^failed to parse [^:]*: /, '')
    .replace(/^for policy `[^`]*`, /, '')
    .replaceAll(/for policy `[^`]*`, /g, '')
  const help = error.help?.replace(/^for policy `[^`]*`, /, '') ?? place?.label
  return problemAt(text, from + (place?.start ?? 0), {
    why: sentence(message),
    fix: sentence(help ?? 'correct the statement'),
  })
}

/** A statement, with the place of its first byte in the text. */
type Placed = Part & { readonly from: number; readonly whole: string }

/** Cedar gives the statements sorted by names of its own, so each is looked for. */
function placed(whole: string, parts: readonly Part[]): Placed[] {
  const taken = new Set<number>()
  return parts.map(part => {
    let at = whole.indexOf(part.text)
    while (taken.has(at)) at = whole.indexOf(part.text, at + 1)
    taken.add(at)
    return { ...part, whole, from: Buffer.byteLength(whole.slice(0, Math.max(0, at))) }
  })
}

type Found = { problems: PolicyProblem[]; warnings: PolicyProblem[] }

function checkPart(part: Placed, names: Names): Found {
  const found: Found = { problems: [], warnings: [] }
  const reach = reachOf(part.json)
  const reads = readsOf(part.json)
  for (const uid of [...reach.named, ...reads.entities]) checkName(part, uid, names, found)
  const scope = inScope(reach, names.offers)
  const types = argumentsOf(scope.tools)
  const isUnknown = callsTools(reach) && checkArguments(part, reads, { scope, types }, found)
  if (!isUnknown) found.problems.push(...checkTypes(part, types, promptArguments(reach, reads)))
  return found
}

function checkName(part: Placed, uid: TypeAndId, names: Names, found: Found): void {
  const stranger = strangerOf(uid, names)
  if (stranger === undefined) return
  const problem = problemAt(part.whole, part.from + bytesTo(part.text, JSON.stringify(uid.id)), stranger)
  ;(stranger.isWarning ? found.warnings : found.problems).push(problem)
}

function callsTools({ actions }: Reach): boolean {
  return actions === undefined || actions.has('tool.call')
}

/** Prompts take texts. Which, their servers say, but nothing here has read it. */
function promptArguments({ actions }: Reach, reads: Reads): Iterable<string> {
  const names = argumentsRead(reads)
  return actions?.has('prompt.get') && !actions.has('tool.call') && names !== 'all' ? names : []
}

type Taken = { readonly scope: InScope; readonly types: CedarType }

/** Arguments that are read, against the tools in scope. True when the types cannot be checked beyond this. */
function checkArguments(part: Placed, reads: Reads, { scope, types }: Taken, found: Found): boolean {
  let isUnknown = false
  for (const [root, ...path] of reads.context) {
    const [name] = path
    if (root !== 'arguments' || name === undefined) continue
    const at = part.from + bytesTo(part.text, name)
    const conflict = path
      .map((_, end) => disagreement(scope.tools, path.slice(0, end + 1)))
      .find(said => said)
    if (conflict !== undefined) {
      isUnknown = true
      found.problems.push(problemAt(part.whole, at, { why: sentence(conflict), fix: 'Narrow the resource.' }))
    } else if (typeAt(types, [name]) === undefined) {
      isUnknown = true
      const known = types.type === 'Record' ? [...types.attributes.keys()] : []
      if (scope.unread.length > 0)
        found.warnings.push(problemAt(part.whole, at, unreadSaid(name, scope.unread)))
      else found.problems.push(problemAt(part.whole, at, unknownSaid(name, known)))
    }
  }
  return isUnknown
}

function unreadSaid(name: string, [server = '', ...more]: readonly string[]): Said {
  const others = more.length === 0 ? '' : ` and ${more.length} more`
  return {
    why: `Whether a tool takes the argument ${name} is not known: ${server}${others} was never read. The statement is not checked further.`,
    fix: `Read it with: gatehouse server test ${server}.`,
  }
}

function unknownSaid(name: string, known: readonly string[]): Said {
  const meant = nearest(name, known)
  const list = known.slice(0, 20).join(', ')
  const fix =
    meant !== undefined
      ? `Did you mean ${meant}?`
      : list === ''
        ? 'The tools in its scope take no arguments.'
        : `They take: ${list}.`
  return { why: `No tool in the scope of the statement takes an argument ${name}.`, fix }
}

/** What Cedar's own validator says. A statement that can never be met is a mistake too. */
function checkTypes(part: Placed, types: CedarType, prompts: Iterable<string>): PolicyProblem[] {
  const schema = schemaFor(types, prompts)
  const errors = reading(cedar => {
    const policies = { staticPolicies: { statement: part.text } }
    const answer = cedar.validate({ schema, policies, validationSettings: { mode: 'strict' } })
    if (answer.type === 'failure') return answer.errors
    const wrong = answer.validationErrors.map(({ error }) => error)
    return wrong.length > 0 ? wrong : answer.validationWarnings.map(({ error }) => error)
  })
  if (errors === undefined) return [problemAt(part.whole, part.from, tooDeep)]
  // Cedar guesses badly which action was meant, and who names one that is not there was told already.
  const others = errors.filter(({ message }) => !message.includes('unrecognized action'))
  return others.map(error => asProblem(part.whole, part.from, error))
}
