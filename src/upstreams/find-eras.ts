/** Which eras an upstream speaks, and what may be taken as an answer to that. */
import { GatewayError } from '../foundation/errors.ts'
import type { Connections } from './connections.ts'
import type { Equipped } from './equipped.ts'
import { type OwnClient, openOwnClient } from './own-client.ts'
import type { Era } from './upstream.ts'

export type FoundEras = {
  readonly eras: readonly Era[]
  /** No question stayed open. */
  readonly isCertain: boolean
}

type Verdict = { readonly era: Era; readonly is: 'yes' | 'no' | 'open'; readonly problem?: GatewayError }

/** Answers that say "not this era". Refused credentials, server errors and time-outs say nothing about it. */
const refusals: ReadonlySet<string> = new Set(['mcp.era_unsupported', 'upstream.bad_answer'])
/** How old stdio servers answer what they do not know: not at all, or by ending. */
const silences: ReadonlySet<string> = new Set([
  'upstream.timeout',
  'upstream.process_failed',
  'upstream.outcome_unknown',
])
const silenceSeconds = 5

/**
 * Asks an upstream in each era. A question that stays open keeps the answer it had before; when nothing at all is found, the
 * problem is thrown.
 */
export async function findEras(
  connections: Connections,
  to: Equipped,
  { seconds, before = [] }: { seconds: number; before?: readonly Era[] },
): Promise<FoundEras> {
  const isProcess = to.upstream.transport.kind === 'stdio'
  const session = await ask(connections, to, 'session', seconds)
  const isPatient = !isProcess || session.is !== 'yes'
  const stateless: Verdict =
    to.upstream.transport.kind === 'sse'
      ? { era: 'stateless', is: 'no' }
      : await ask(connections, to, 'stateless', isPatient ? seconds : Math.min(seconds, silenceSeconds))
  const verdicts = [session, stateless]
  const found = verdicts.filter(({ is }) => is === 'yes')
  if (found.length === 0) throw problemOf(verdicts)
  const open = verdicts.filter(({ is, problem }) => is === 'open' && !(isProcess && isSilence(problem)))
  const kept = open.filter(({ era }) => before.includes(era))
  return {
    eras: verdicts.filter(one => found.includes(one) || kept.includes(one)).map(({ era }) => era),
    isCertain: open.length === 0,
  }
}

/** Opens an upstream for the gateway's own questions in an era it is known to speak; finds that out where it is not known, or not so. */
export async function openFound(
  connections: Connections,
  to: Equipped,
  about: { seconds: number; before: readonly Era[]; isKnown: boolean },
): Promise<{ client: OwnClient; found: FoundEras | undefined }> {
  const open = (eras: readonly Era[]) =>
    openOwnClient(connections, to, eras.includes('stateless') ? 'stateless' : 'session', about.seconds)
  if (about.isKnown) {
    try {
      return { client: await open(about.before), found: undefined }
    } catch (problem) {
      if (!(problem instanceof GatewayError) || !refusals.has(problem.code)) throw problem
    }
  }
  const found = await findEras(connections, to, about)
  return { client: await open(found.eras), found }
}

async function ask(connections: Connections, to: Equipped, era: Era, seconds: number): Promise<Verdict> {
  try {
    const client = await openOwnClient(connections, to, era, seconds)
    await client.close()
    return { era, is: 'yes' }
  } catch (problem) {
    if (!(problem instanceof GatewayError)) throw problem
    connections.endUnused(to.upstream, era)
    return { era, is: refusals.has(problem.code) ? 'no' : 'open', problem }
  }
}

function isSilence(problem: GatewayError | undefined): boolean {
  return problem !== undefined && silences.has(problem.code)
}

// What keeps a question open is the trouble to be told of, rather than that the other was answered with no.
function problemOf(verdicts: readonly Verdict[]): GatewayError {
  const problems = verdicts.flatMap(({ problem }) => problem ?? [])
  const first = problems.find(({ code }) => code !== 'mcp.era_unsupported') ?? problems[0]
  return first ?? new GatewayError('mcp.era_unsupported')
}
