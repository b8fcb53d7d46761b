import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import { type Route, route } from '../../foundation/route.ts'
import { reading } from './cedar.ts'
import type { PolicyChanges } from './changes.ts'
import type { Checked } from './check.ts'
import type { Names } from './offers.ts'
import { type Policy, policySchema, policyText } from './policy.ts'
import { policyProblem } from './problem.ts'
import { argumentsOf, conflicts, inScope, schemaFor } from './schema.ts'

type Parts = {
  readonly present: () => readonly Policy[]
  readonly changes: PolicyChanges
  readonly check: (text: string) => Promise<Checked>
  readonly names: () => Promise<Names>
}

const params = z.object({ policy: policySchema.shape.name })
const warnings = z.array(policyProblem).describe('What could not be checked.')

const answer = z.object({
  name: z.string(),
  mode: policySchema.shape.mode,
  description: z.string(),
  text: z.string(),
  version: z.int().describe('Raised by every change.'),
  createdAt: z.string(),
  updatedAt: z.string(),
})
const list = z.object({ items: z.array(answer), why: z.string().optional() })

const schemaQuery = z.object({
  resource: z
    .string()
    .max(300)
    .optional()
    .describe('Only for what is in this: group, group/server or group/server/tool.'),
})
const schemaAnswer = z.object({
  schema: z.string().describe('In the language of Cedar.'),
  conflicts: z
    .array(z.string())
    .describe('Arguments that are left out, because tools mean different things by them.'),
  unread: z.array(z.string()).describe('Servers that were never read.'),
})

export function policyRoutes(parts: Parts): readonly Route[] {
  return [...readingRoutes(parts), ...changingRoutes(parts)]
}

function readingRoutes({ present, check, names }: Parts): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/policies',
      summary: 'Every policy.',
      entry: 'auditor',
      answer: list,
      async act() {
        const items = present().map(shown)
        const why = 'There are no policies: grants alone decide. Add one with: gatehouse policy add <name>.'
        return items.length > 0 ? { items } : { items, why }
      },
    }),
    // Before the policy of any name.
    route({
      method: 'GET',
      path: '/api/v1/policies/schema',
      summary:
        'What a policy can be about, as a schema of Cedar: principals, actions, and the arguments of tools.',
      entry: 'auditor',
      query: schemaQuery,
      answer: schemaAnswer,
      act: async ({ query }) => describeSchema(await names(), query.resource),
    }),
    route({
      method: 'POST',
      path: '/api/v1/policies/validate',
      summary: 'Say what is wrong with the text of a policy, without saving it.',
      entry: 'auditor',
      body: z.strictObject({ text: policyText }),
      answer: z.object({ valid: z.boolean(), problems: z.array(policyProblem), warnings }),
      async act({ body }) {
        const checked = await check(body.text)
        const problems = [...checked.problems]
        return { valid: problems.length === 0, problems, warnings: [...checked.warnings] }
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/policies/{policy}',
      summary: 'One policy.',
      entry: 'auditor',
      params,
      answer,
      act: async input => shown(found(present, input.params.policy)),
    }),
  ]
}

function changingRoutes({ present, changes }: Parts): Route[] {
  return [
    route({
      method: 'PUT',
      path: '/api/v1/policies/{policy}',
      summary: 'Make a policy, or change it.',
      entry: 'admin',
      stepUp: true,
      params,
      body: policySchema.omit({ name: true }),
      answer: answer.extend({ warnings }),
      async act(input) {
        const name = input.params.policy
        const said = await changes.put(input, { name, ...input.body })
        return { ...shown(found(present, name)), warnings: [...said] }
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/policies/{policy}',
      summary: 'Remove a policy.',
      entry: 'admin',
      stepUp: true,
      status: 204,
      params,
      act: input => changes.remove(input, input.params.policy),
    }),
  ]
}

function found(present: Parts['present'], name: string): Policy {
  const policy = present().find(each => each.name === name)
  return policy ?? fail('access.policy_unknown', { why: `There is no policy ${name}.` })
}

function shown({ id: _, createdAt, updatedAt, ...policy }: Policy): z.infer<typeof answer> {
  return {
    ...policy,
    createdAt: new Date(createdAt).toISOString(),
    updatedAt: new Date(updatedAt).toISOString(),
  }
}

function describeSchema({ offers }: Names, resource: string | undefined): z.infer<typeof schemaAnswer> {
  const scope = inScope({ resource: endOf(resource) }, offers)
  const schema = schemaFor(argumentsOf(scope.tools))
  const written = reading(cedar => cedar.schemaToText(schema))
  if (written?.type !== 'success')
    return fail('http.bad_request', {
      why: 'The arguments of these tools are too many or too deep for one schema.',
      fix: 'Name a resource: group/server or group/server/tool.',
    })
  return { schema: written.text, conflicts: conflicts(scope.tools), unread: [...scope.unread] }
}

function endOf(resource: string | undefined): Parameters<typeof inScope>[0]['resource'] {
  if (resource === undefined) return { op: 'All' }
  const steps = resource.split('/').length
  const type = steps === 1 ? 'Group' : steps === 2 ? 'Server' : 'Tool'
  return { op: 'in', type, key: `${type}::${resource}` }
}
