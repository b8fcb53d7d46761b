import { z } from 'zod'
import { groupSchema, mostPolicies, policySchema } from '../access/index.ts'
import {
  credentialsSchema,
  emailSchema,
  nameSchema,
  oauthClientSchema,
  ownerSchema,
  providerSchema,
  roleSchema,
} from '../identity/index.ts'
import { virtualServerSchema } from '../servers/index.ts'
import { serverInputSchema } from '../upstreams/index.ts'
import { authSchema } from '../vault/index.ts'

const most = 10_000

const userSchema = z.strictObject({ email: emailSchema, role: roleSchema.default('member') })

const teamSchema = z.strictObject({
  name: nameSchema,
  members: z.array(emailSchema).max(most).default([]).describe('E-mail addresses of users.'),
})

const accountSchema = z.strictObject({
  name: nameSchema,
  owner: ownerSchema.optional(),
  credentials: credentialsSchema.optional(),
})

/** The things each section holds. */
export const thingSchemas = {
  identityProviders: providerSchema,
  users: userSchema,
  teams: teamSchema,
  virtualAccounts: accountSchema,
  oauthClients: oauthClientSchema,
  groups: groupSchema,
  servers: serverInputSchema(authSchema),
  virtualServers: virtualServerSchema,
  policies: policySchema,
}

/** The whole manifest. A section that is left out is left alone, also by pruning. */
export const manifestSchema = z
  .strictObject({
    identityProviders: z
      .array(thingSchemas.identityProviders)
      .max(1000)
      .optional()
      .describe('Where people of companies come from.'),
    users: z.array(thingSchemas.users).max(most).optional().describe('People.'),
    teams: z.array(thingSchemas.teams).max(most).optional().describe('Teams of people.'),
    virtualAccounts: z
      .array(thingSchemas.virtualAccounts)
      .max(most)
      .optional()
      .describe('Identities of programs. Secrets are made with: gatehouse account secret add <name>.'),
    oauthClients: z
      .array(thingSchemas.oauthClients)
      .max(most)
      .optional()
      .describe('OAuth clients of the company. Secrets are made with: gatehouse oauth-client secret <name>.'),
    groups: z
      .array(thingSchemas.groups)
      .max(most)
      .optional()
      .describe('Server groups: who manages, who may use.'),
    servers: z.array(thingSchemas.servers).max(most).optional().describe('MCP servers.'),
    policies: z
      .array(thingSchemas.policies)
      .max(mostPolicies)
      .optional()
      .describe('What is forbidden or permitted under conditions, in Cedar.'),
    virtualServers: z
      .array(thingSchemas.virtualServers)
      .max(most)
      .optional()
      .describe('Servers made of parts of others, each published as it stands here.'),
  })
  .describe('The desired state of a Gatehouse instance.')

export type Manifest = z.infer<typeof manifestSchema>

/** For editors, and for finding out which word a misspelt one was meant to be. */
export function manifestJsonSchema(): Record<string, unknown> {
  return { title: 'Gatehouse manifest', ...z.toJSONSchema(manifestSchema, { io: 'input' }) }
}
