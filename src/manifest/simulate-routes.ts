import { z } from 'zod'
import { policySchema } from '../access/index.ts'
import { fail } from '../foundation/errors.ts'
import { type Route, route } from '../foundation/route.ts'
import { secretValues } from './routes.ts'
import { type SimulateParts, simulate, type Trial } from './simulate.ts'
import { summarySchema } from './simulated.ts'

const mostDecisions = 10_000

const body = z.strictObject({
  manifest: z.string().optional().describe('A manifest to try out, as YAML, at most 1 MiB.'),
  secrets: secretValues,
  prune: z.boolean().default(false).describe('As if what the manifest does not name were removed.'),
  policy: policySchema
    .omit({ description: true })
    .optional()
    .describe('A policy to try out, new or changed.'),
  withoutPolicy: z.string().max(64).optional().describe('A policy to try to do without.'),
  last: z
    .int()
    .min(1)
    .max(mostDecisions)
    .default(1000)
    .describe('How many decisions of the audit at most, the latest first.'),
  since: z.iso.datetime({ offset: true }).optional().describe('Only decisions from this time on.'),
})

export function simulateRoutes(parts: SimulateParts): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/access/simulate',
      summary:
        'Which of the last decisions a change of the manifest or of a policy would turn over. Changes nothing.',
      entry: 'auditor',
      status: 200,
      body,
      answer: summarySchema,
      act: ({ caller, requestId, body }) =>
        simulate(parts, {
          ...{ caller, requestId, trial: trialOf(body), last: body.last },
          since: body.since === undefined ? undefined : Math.max(0, Date.parse(body.since)),
        }),
    }),
  ]
}

function trialOf({ manifest, secrets, prune, policy, withoutPolicy }: z.infer<typeof body>): Trial {
  const trials: Trial[] = [
    ...(manifest === undefined ? [] : [{ manifest, secrets, prune }]),
    ...(policy === undefined ? [] : [{ policy: { ...policy, description: '' } }]),
    ...(withoutPolicy === undefined ? [] : [{ withoutPolicy }]),
  ]
  const [trial, ...more] = trials
  if (trial === undefined || more.length > 0)
    return fail('http.bad_request', {
      why: `${trial === undefined ? 'There is nothing' : 'There is more than one thing'} to try out.`,
      fix: 'Send one of manifest, policy and withoutPolicy.',
    })
  return trial
}
