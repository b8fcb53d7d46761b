/** A look at a server, step by step: resolve, connect, era, tools - each with its time, and a fix for what fails. */
import { z } from 'zod'
import type { Clock } from '../foundation/clock.ts'
import { asGatewayError, type GatewayError } from '../foundation/errors.ts'
import type { Connections } from './connections.ts'
import type { Equipped } from './equipped.ts'
import { findEras } from './find-eras.ts'
import { type OwnClient, openOwnClient } from './own-client.ts'
import { type CatalogueLimits, readCatalogue } from './read-catalogue.ts'
import { resolves, touch } from './transports/reach.ts'
import { ProcessFailure } from './transports/stdio.ts'
import type { HttpTransport } from './upstream.ts'

export const probeAnswer = z.object({
  ok: z.boolean(),
  steps: z.array(
    z.object({
      name: z.enum(['resolve', 'connect', 'era', 'tools']),
      ok: z.boolean(),
      milliseconds: z.number(),
      found: z.string().optional(),
      why: z.string().optional(),
      fix: z.string().optional(),
    }),
  ),
})

export type Probe = z.infer<typeof probeAnswer>
type Step = Probe['steps'][number]

export type ProbeParts = {
  readonly connections: Connections
  readonly clock: Clock
  readonly limits: CatalogueLimits & { readonly connectSeconds: number }
}

const askSeconds = 10

const eraNames = { session: 'sessions (to 2025-11-25)', stateless: '2026-07-28' } as const

/** Probes a server, registered or not. Never throws for what is wrong with the server; the report says it. */
export async function probe(parts: ProbeParts, to: Equipped): Promise<Probe> {
  const steps: Step[] = []
  async function step<T>(
    name: Step['name'],
    work: () => Promise<T>,
    found: (result: T) => string,
  ): Promise<T> {
    const startedAt = parts.clock.elapsed()
    const milliseconds = () => Math.round((parts.clock.elapsed() - startedAt) * 10) / 10
    try {
      const result = await work()
      steps.push({ name, ok: true, milliseconds: milliseconds(), found: found(result) })
      return result
    } catch (thrown) {
      const error = asGatewayError(thrown)
      steps.push({ name, ok: false, milliseconds: milliseconds(), why: whyFor(error), fix: error.fix })
      throw thrown
    }
  }
  try {
    const { transport } = to.upstream
    if (transport.kind !== 'stdio') await reach(parts, transport, step)
    const { eras } = await step(
      'era',
      () => findEras(parts.connections, to, { seconds: askSeconds }),
      found => found.eras.map(era => eraNames[era]).join(' and '),
    )
    const era = eras.includes('stateless') ? 'stateless' : 'session'
    await step(
      'tools',
      () => countTools(() => openOwnClient(parts.connections, to, era, askSeconds), parts.limits),
      count => count,
    )
  } catch (thrown) {
    // The failed step holds what there is to say; anything that failed outside a step is ours.
    if (steps.every(({ ok }) => ok)) throw thrown
  }
  return { ok: steps.every(({ ok }) => ok), steps }
}

// Who probes a server manages it, so the last words of its process are theirs to read.
function whyFor({ why, cause }: GatewayError): string {
  return cause instanceof ProcessFailure
    ? [why, cause.end.why, ...cause.end.stderr.slice(-10)].join('\n')
    : why
}

type RunStep = <T>(name: Step['name'], work: () => Promise<T>, found: (result: T) => string) => Promise<T>

async function reach(parts: ProbeParts, transport: HttpTransport, step: RunStep): Promise<void> {
  const asFound = (found: string) => found
  await step('resolve', () => resolves(transport), asFound)
  await step('connect', () => touch(transport, parts.limits.connectSeconds * 1000), asFound)
}

async function countTools(open: () => Promise<OwnClient>, limits: CatalogueLimits): Promise<string> {
  const client = await open()
  try {
    const { items, warnings } = await readCatalogue(client, limits)
    const counts = ['tool', 'resource', 'template', 'prompt'].flatMap(kind => {
      const count = items.filter(item => item.kind === kind).length
      return count === 0 ? [] : [`${count} ${kind}${count === 1 ? '' : 's'}`]
    })
    return [counts.join(', ') || 'nothing', ...warnings].join('; ')
  } finally {
    await client.close()
  }
}
