/** Why, for those who ask about themselves and manage nothing: no more than a call would tell. */
import { type ExplainParts, findOut, type Question, sentence } from './explain.ts'
import { type Explained, everythingPlace } from './explained.ts'
import { mayUse } from './judge-call.ts'

const told: Readonly<Record<string, Explained['steps'][number]['step']>> = {
  'access.policy_forbids': 'policies',
  'access.tool_held': 'pin',
  'servers.argument_refused': 'arguments',
}

export async function explainOutside(parts: ExplainParts, question: Question): Promise<Explained> {
  const { place, caller } = question
  const [group = '', name = ''] = place.split('/')
  const served = place === everythingPlace ? parts.everything(caller) : parts.find(group, name)
  // What is not for them takes as long as what is not there.
  if (served === undefined || !mayUse(parts.access, caller, served))
    return nothing(question, 'access.not_found')
  const { verdict, trouble, explanation } = await findOut(parts, question)
  const error = trouble?.code ?? verdict.refusal?.code ?? null
  if (error === null) {
    const depends =
      explanation?.policies.some(({ isEnforced, verdict }) => isEnforced && verdict === 'open') === true
    const { policies, reason } = verdict.decision
    return {
      ...face(question, { allowed: true, depends }),
      decision: { allowed: true, reason, ...(policies && { policies: [...policies] }) },
      steps: [
        question.about,
        { step: 'grants', outcome: depends ? 'depends' : 'passes', says: `Given by: ${reason}.` },
      ],
    }
  }
  const step = told[error]
  if (step === undefined)
    return nothing(question, error === 'absent' ? `access.${question.thing?.kind ?? 'tool'}_unknown` : error)
  const why = (verdict.refusal !== undefined && 'why' in verdict.refusal && verdict.refusal.why) || ''
  return {
    ...face(question, { allowed: false, depends: false }),
    decision: { allowed: false, reason: verdict.decision.reason },
    error,
    steps: [question.about, { step, outcome: 'stops', says: why }],
    wouldChange: [{ all: [{ says: 'Ask a manager of the group, or call it with other arguments.' }] }],
  }
}

function nothing(question: Question, error: string): Explained {
  return {
    ...face(question, { allowed: false, depends: false }),
    decision: { allowed: false, reason: 'no grant' },
    error,
    steps: [
      question.about,
      { step: 'grants', outcome: 'stops', says: 'No grant gives you this, or there is no such thing.' },
    ],
    wouldChange: [{ all: [{ says: 'Ask a manager of the group for access.' }] }],
  }
}

function face(question: Question, answer: Pick<Explained, 'allowed' | 'depends'>) {
  const { subject, place, thing } = question
  const plain = { error: null, grant: null, source: null, wouldChange: [] }
  return {
    ...answer,
    says: sentence(question, answer),
    subject,
    server: place,
    thing: thing ?? null,
    ...plain,
  }
}
