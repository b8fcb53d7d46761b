/** Whether the gateway is alive, ready, and well: the same checks behind /readyz and `gatehouse doctor`. */
import { z } from 'zod'
import { type Route, route } from '../foundation/route.ts'

export type HealthCheck = {
  /** What was looked at: `database`, `audit spool`. */
  readonly name: string
  readonly isWell: boolean
  /** Without it the gateway cannot serve, so /readyz says no. */
  readonly isRequired: boolean
  /** One sentence on what was found. */
  readonly found: string
  /** What to do about it; only when it is not well. */
  readonly fix?: string
}

export type Health = () => Promise<readonly HealthCheck[]>

/** The body and status of /readyz: names only, for anyone may ask. */
export async function readiness(health: Health): Promise<{ status: 200 | 503; body: object }> {
  const checks = await health()
  const waitingFor = checks.filter(check => check.isRequired && !check.isWell).map(check => check.name)
  if (waitingFor.length === 0) return { status: 200, body: { status: 'ready' } }
  return { status: 503, body: { status: 'not ready', waitingFor } }
}

export function doctorRoute(health: Health): Route {
  return route({
    method: 'GET',
    path: '/api/v1/doctor',
    summary: 'Look at every part of the gateway and say what is wrong and how to repair it.',
    entry: 'auditor',
    answer: z.object({
      items: z.array(
        z.object({
          name: z.string(),
          isWell: z.boolean(),
          isRequired: z.boolean(),
          found: z.string(),
          fix: z.string().optional(),
        }),
      ),
    }),
    act: async () => ({ items: [...(await health())] }),
  })
}
