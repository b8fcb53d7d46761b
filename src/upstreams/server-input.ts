import { z } from 'zod'
import { slug, toolPolicySchema, transportSchema } from './upstream.ts'

const description = z.string().max(2000).describe('For people.')

/** How people write a server, in the API and in a manifest. `authSchema` is the vault's. */
export function serverInputSchema(authSchema: z.ZodType) {
  return z.strictObject({
    group: slug.describe('The server group it is in.'),
    name: slug.describe('Its name in the group, part of its URL.'),
    description: description.default(''),
    transport: transportSchema,
    auth: authSchema.default({ kind: 'none' }).describe('How the gateway authenticates to the server.'),
    tools: toolPolicySchema.prefault({}),
  })
}

/** What a PATCH may name: what is left out stays, what is named is replaced whole. */
export function serverChangesSchema(authSchema: z.ZodType) {
  return z.strictObject({
    description: description.optional(),
    transport: transportSchema.optional(),
    auth: authSchema.optional(),
    tools: toolPolicySchema.optional(),
  })
}

export const secretsSchema = z
  .record(z.string().regex(/^(?:env:|file:)/), z.string().max(65_536))
  .default({})
  .describe('Values of the references in the body, by env:NAME and file:/path.')
