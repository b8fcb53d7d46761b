/** What becomes of a definition that a server shows: the one decision, pure. */
import type { JsonObject } from '../foundation/json.ts'
import { diffDefinitions } from './definition-diff.ts'
import { bringsSuspicions } from './definition-scan.ts'
import { isSame } from './schema-diff.ts'
import type { ToolPolicy } from './upstream.ts'

/** Why a tool is held. */
export type HoldReason =
  | 'new'
  | 'changed'
  /** Something in the definition needs a person, whatever the policy says. */
  | 'finding'
  /** A manager holds it. */
  | 'hand'
  /** A lockfile does not have it so. */
  | 'lock'

/** Why a definition was accepted without a person. */
export type AcceptReason =
  | 'first reading'
  | 'policy: new tools'
  | 'policy: changes'
  | 'policy: additive changes'

export type Verdict =
  /** It is the approved one, or says less. */
  | { readonly is: 'approved' }
  | { readonly is: 'accepted'; readonly by: AcceptReason }
  | { readonly is: 'held'; readonly reason: HoldReason }

export type Seen = {
  readonly hash: string
  readonly definition: JsonObject
  /** From a list on its way to a client, which may speak an older revision than the gateway does. */
  readonly isLive: boolean
}

export type Circumstances = {
  readonly policy: ToolPolicy
  /** What was approved before. */
  readonly approved: { readonly hash: string; readonly definition: JsonObject } | undefined
  /** The server was not read before. */
  readonly isFirst: boolean
  /** Approvals were there before the server was first read: a lockfile made them, and holds what is not as it says. */
  readonly isLocked: boolean
  /** Asked for only where a definition would be accepted. */
  hasGraveFindings(): boolean
  /** May one more change be looked into? Comparing takes time, and a server may change all it has at once. */
  mayCompare(): boolean
}

export function judge(seen: Seen, about: Circumstances): Verdict {
  const { approved } = about
  if (approved === undefined) return judgeNew(about)
  if (seen.hash === approved.hash) return { is: 'approved' }
  if (seen.isLive && saysLess(approved.definition, seen.definition)) return { is: 'approved' }
  return judgeChange(seen.definition, { ...about, approved })
}

function judgeNew(about: Circumstances): Verdict {
  if (about.hasGraveFindings()) return { is: 'held', reason: 'finding' }
  if (about.isLocked) return { is: 'held', reason: 'lock' }
  if (about.policy.newTools === 'hold') return { is: 'held', reason: 'new' }
  return { is: 'accepted', by: about.isFirst ? 'first reading' : 'policy: new tools' }
}

function judgeChange(
  definition: JsonObject,
  about: Circumstances & { readonly approved: NonNullable<Circumstances['approved']> },
): Verdict {
  if (about.hasGraveFindings()) return { is: 'held', reason: 'finding' }
  if (about.isLocked) return { is: 'held', reason: 'lock' }
  const { changes = 'additive' } = about.policy
  if (changes === 'accept') return { is: 'accepted', by: 'policy: changes' }
  return changes === 'additive' && about.mayCompare() && onlyAdds(about.approved.definition, definition)
    ? { is: 'accepted', by: 'policy: additive changes' }
    : { is: 'held', reason: 'changed' }
}

/** What is added is text for the model too: orders to it do not come in as a further argument. */
function onlyAdds(before: JsonObject, after: JsonObject): boolean {
  return diffDefinitions(before, after).every(({ additive }) => additive) && !bringsSuspicions(before, after)
}

/** Members that revisions of the protocol differ in. */
const dispensable: ReadonlySet<string> = new Set([
  'title',
  'outputSchema',
  'annotations',
  'icons',
  'execution',
  '_meta',
])

/** The approved definition as an older revision shows it: members are missing, and none says anything else. */
export function saysLess(approved: JsonObject, shown: JsonObject): boolean {
  const has = (key: string) => Object.hasOwn(shown, key)
  return (
    Object.keys(approved).every(key => has(key) || dispensable.has(key)) &&
    Object.keys(shown).every(key => Object.hasOwn(approved, key) && isSame(approved[key], shown[key]))
  )
}

const reasons: Readonly<Record<HoldReason, string>> = {
  new: 'It is new on its server, and new tools are held until a manager approves them',
  changed: 'Its definition is not the one that was approved',
  finding: 'Something in its definition has to be looked at by a manager first',
  hand: 'A manager of the group holds it',
  lock: 'The lockfile does not have it as it is',
}

/** Why a tool is held, for whoever would call it. Says nothing of what the server wrote. */
export function heldSentence(reason: HoldReason, since: number): string {
  const time = new Date(since).toISOString().slice(0, 16).replace('T', ' ')
  return `${reasons[reason]}; held since ${time} UTC.`
}
