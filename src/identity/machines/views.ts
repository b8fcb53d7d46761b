/** What the credentials of virtual accounts look like from outside. */
import { z } from 'zod'
import { lifetimeSchema } from '../schemas.ts'
import { credentialsSchema } from './credentials.ts'

const time = z.iso.datetime()

export const secretView = z
  .object({
    id: z.string(),
    name: z.string(),
    hint: z.string().describe('Its prefix and last four characters.'),
    createdAt: time,
    expiresAt: time,
    lastUsedAt: time.nullable(),
    replacedBy: z.string().nullable().describe('The id of the secret that takes its place.'),
  })
  .meta({ id: 'AccountSecret' })

export type SecretView = z.infer<typeof secretView>

export const issuedSecret = secretView.extend({
  clientId: z.string(),
  secret: z.string().describe('The client secret itself, shown this once.'),
})

export type IssuedSecret = z.infer<typeof issuedSecret>

export const credentialsView = z
  .object({
    clientId: z.string().describe('What the account is called at the token endpoint.'),
    ...credentialsSchema.shape,
    secrets: z.array(secretView).describe('Those that are good, the oldest first.'),
  })
  .meta({ id: 'AccountCredentials' })

export const newSecretSchema = z.strictObject({
  name: z.string().max(100).default('').describe('What it is for, for people.'),
  expires: lifetimeSchema.default('90d').describe('How long it is good; at most 365d.'),
})

export const secretRotationSchema = newSecretSchema.extend({
  deadline: lifetimeSchema.default('7d').describe('How long the old one stays good beside it.'),
})
