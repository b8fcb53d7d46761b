/** Turns what a client says it met into cells, believing nothing that the gateway's audit does not have. */
import type { AuditEvent } from '../../../src/audit/index.ts'
import { ROOT } from '../../fixtures/process.ts'
import type { Told, Tried, Visited } from './clients/client-kind.ts'
import { type FeatureKind, trials } from './features.ts'
import type { Cell, ClientResult, FeatureCell } from './results.ts'
import { servers } from './servers.ts'

const WORDS = 160
const answered = new Set(['ok', 'tool_error'])

export function judge(told: Told, events: readonly AuditEvent[]): Pick<ClientResult, 'cells' | 'features'> {
  const of = (server: string) => events.filter(event => event.target?.split('/')[1] === server)
  const cells = Object.fromEntries(
    servers.flatMap(({ name, call }) => {
      const visited = told.visited.find(one => one.server === name)
      return visited ? [[name, cellOf(visited, of(name), call)]] : []
    }),
  )
  const features: Record<string, Record<string, FeatureCell>> = {}
  for (const tried of told.tried) {
    const trial = trials.find(({ server, feature }) => server === tried.server && feature === tried.feature)
    if (trial === undefined) continue
    features[tried.server] = {
      ...features[tried.server],
      [tried.feature]: featureOf(tried, trial, of(tried.server)),
    }
  }
  return { cells, features }
}

type Call = { readonly tool: string; readonly expect: RegExp }

function cellOf(visited: Visited, events: readonly AuditEvent[], { tool, expect }: Call): Cell {
  const reached = events.filter(event => answered.has(event.outcome))
  const connect = visited.connected && reached.length > 0
  const list = connect && (visited.tools ?? []).includes(tool)
  const calls = reached.filter(event => event.action === 'tools/call' && event.subject === tool)
  const call = calls.length > 0 && visited.text !== null && expect.test(visited.text)
  const isGood = connect && list && call
  return {
    connect,
    list,
    call,
    era: (calls[0] ?? reached[0])?.era ?? null,
    error: isGood ? null : codeIn(connect ? events.filter(isOfTools) : events, visited.error),
    words: isGood ? null : shortened(visited.error ?? visited.text),
  }
}

const isOfTools = (event: AuditEvent) => event.action.startsWith('tools/')

function featureOf(tried: Tried, trial: FeatureKind, events: readonly AuditEvent[]): FeatureCell {
  const { offered } = tried
  const ok = offered && worked(tried, trial, events)
  const isTrouble = offered && !ok
  return {
    offered,
    ok,
    error: isTrouble
      ? codeIn(
          events.filter(event => event.subject === trial.subject),
          tried.error,
        )
      : null,
    words: isTrouble ? shortened(tried.error ?? tried.text) : null,
  }
}

function worked(tried: Tried, trial: FeatureKind, events: readonly AuditEvent[]): boolean {
  const about = events.filter(event => event.subject === trial.subject)
  if (trial.feature === 'cancellation') {
    return tried.text === null && about.some(event => event.outcome === 'cancelled')
  }
  const wasAsked = trial.feature === 'resources' || trial.feature === 'prompts' || tried.seen > 0
  return wasAsked && tried.text !== null && (trial.expect?.test(tried.text) ?? false) && about.length > 0
}

/** The code the client repeats, or the last one of the gateway for this server. */
function codeIn(events: readonly AuditEvent[], words: string | null): string | null {
  const [, repeated] = /"code":\s*"([a-z]+\.[a-z_]+)"/.exec(words ?? '') ?? []
  return repeated ?? events.find(event => event.error?.includes('.'))?.error ?? null
}

/** Without what differs from run to run. */
function shortened(words: string | null): string | null {
  if (words === null) return null
  const steady = words
    .replaceAll(ROOT, '<root>')
    .replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, '<gateway>')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<id>')
    .replaceAll(/gth_\w+/g, '<token>')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return steady.length > WORDS ? `${steady.slice(0, WORDS)}…` : steady
}
