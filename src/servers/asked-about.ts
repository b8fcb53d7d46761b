/** Whom a question is about. */
import type { Caller } from '../foundation/route.ts'
import type { Identity } from '../identity/index.ts'
import type { Question } from './explain.ts'
import type { Step } from './explained.ts'

export type AskedAbout = Pick<Question, 'caller' | 'subject' | 'about' | 'revival'>

type Parts = { readonly identity: Pick<Identity, 'standInOf' | 'hasTeam'> }

/** How grants name the caller. */
export function subjectOf({ kind, name }: Caller): string {
  return kind === 'operator' ? 'operator' : `${kind}:${name}`
}

export function oneself(caller: Caller): AskedAbout {
  return { caller, subject: subjectOf(caller), about: tells('passes', `You are ${also(caller)}.`) }
}

/** `isTold`: may whoever asks know who there is, and in which teams? */
export async function askedAbout(parts: Parts, subject: string, isTold: boolean): Promise<AskedAbout> {
  const [kind, name = ''] = subject.split(/:(.*)/s)
  if (kind === 'user' || kind === 'account') return aboutOne(parts, subject, isTold)
  const caller = supposed(subject === 'everyone' ? ['everyone'] : [subject, 'everyone'])
  const who =
    subject === 'everyone'
      ? 'everybody gets who is authenticated'
      : `a member of the team gets who is in no other and is granted nothing by name`
  const isMissing = kind === 'team' && isTold && !(await parts.identity.hasTeam(name))
  const missing = isMissing ? ` There is no team ${name} yet: gatehouse team add ${name}.` : ''
  return { caller, subject, about: tells('tells', `This is what ${who}.${missing}`) }
}

async function aboutOne({ identity }: Parts, subject: string, isTold: boolean): Promise<AskedAbout> {
  const found = await identity.standInOf(subject)
  const [kind, name = ''] = subject.split(/:(.*)/s)
  const add = `gatehouse ${kind} add ${name}`
  if (found === undefined) {
    const caller = supposed([subject, 'everyone'], { kind: kind === 'account' ? 'account' : 'user', name })
    const says = isTold
      ? `There is no ${subject} yet: this is what they would get once they are added (${add}).`
      : plainly(subject)
    return { caller, subject, about: tells(isTold ? 'tells' : 'passes', says) }
  }
  const { caller, refused } = found
  if (refused === undefined)
    return {
      caller,
      subject,
      about: tells('passes', isTold ? `${subject} is ${also(caller)}.` : plainly(subject)),
    }
  const isOwner = refused.startsWith('The owner')
  const revival = isOwner
    ? {
        says: `Enable the owner of ${subject}, or give it another: gatehouse account update ${name} --owner <subject>.`,
      }
    : { says: `Enable ${subject}.`, command: `gatehouse ${kind} update ${name} --enable` }
  const why = isOwner ? `The owner of ${subject} is disabled` : `${subject} is disabled`
  return { caller, subject, revival, about: tells('stops', `${why}, and so all its tokens are refused.`) }
}

function plainly(subject: string): string {
  return `This is what ${subject} gets.`
}

function also(caller: Caller): string {
  const { within } = caller
  if (within === undefined) return roleAndTeams(caller)
  const bound = 'team' in within ? `what team:${within.team} is granted` : `groups ${within.groupPrefix}*`
  return `${roleAndTeams(caller)}, whose identity provider is bound to ${bound}`
}

function roleAndTeams({ kind, role, subjects }: Caller): string {
  const teams = subjects.filter(subject => subject.startsWith('team:'))
  const what =
    kind === 'user'
      ? `a user with the role ${role}`
      : kind === 'account'
        ? 'a virtual account'
        : 'the operator'
  return teams.length === 0 ? what : `${what}, in ${teams.join(', ')}`
}

/** Somebody who is not there, with nothing but these subjects. */
function supposed(
  subjects: readonly string[],
  { kind = 'user', name = '' }: Partial<Pick<Caller, 'kind' | 'name'>> = {},
): Caller {
  return { id: 'supposed', kind, name, role: 'member', subjects, tokenId: undefined }
}

function tells(outcome: Step['outcome'], says: string): Step {
  return { step: 'subject', outcome, says }
}
