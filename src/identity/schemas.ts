/** What people, teams, accounts and tokens look like from outside. */
import { z } from 'zod'

export const emailSchema = z
  .email('expected an e-mail address')
  .max(254)
  .toLowerCase()
  .describe('E-mail address; upper and lower case are the same.')

export const nameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'use 1 to 63 lower-case letters, digits and inner hyphens')

export const roleSchema = z
  .enum(['admin', 'member', 'auditor'])
  .describe('admin: everything. member: own tokens and what is granted. auditor: reads everything.')

export const ownerSchema = z
  .string()
  .max(259)
  .toLowerCase()
  .regex(/^user:[^@\s]+@[^@\s]+$/, 'expected user:<email>')
  .describe('The user who answers for the account: user:<email>.')

const unitMilliseconds = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const longestMilliseconds = 365 * unitMilliseconds.d

/** Milliseconds of `30d`, `12h` and the like; NaN for anything else. */
export function lifetimeMilliseconds(text: string): number {
  const [, count, unit] = /^(\d{1,5})([mhdw])$/.exec(text) ?? []
  return Number(count) * unitMilliseconds[unit as keyof typeof unitMilliseconds]
}

const isLifetime = (text: string) => {
  const milliseconds = lifetimeMilliseconds(text)
  return milliseconds > 0 && milliseconds <= longestMilliseconds
}

/** A time such as `12h` or `30d`, at most a year. */
export const lifetimeSchema = z
  .string()
  .refine(isLifetime, 'expected a time such as 12h or 30d, at most 365d')

export const tokenQuery = z.strictObject({
  expiring: lifetimeSchema.optional().describe('Only tokens that are good now and expire within this time.'),
  unused: lifetimeSchema.optional().describe('Only tokens that are good and were not used for this time.'),
})

export const rotationSchema = z.strictObject({
  expires: lifetimeSchema.default('90d').describe('How long the new token is good.'),
  deadline: lifetimeSchema.default('7d').describe('How long the old one stays good beside it.'),
})

export const newTokenSchema = z
  .strictObject({
    name: z.string().max(100).default('').describe('What it is for, for people.'),
    user: emailSchema.optional().describe('Whose personal access token; your own unless told.'),
    account: nameSchema.optional().describe('The virtual account whose token.'),
    expires: lifetimeSchema
      .default('90d')
      .describe('How long it is good: a number and m, h, d or w; at most 365d.'),
  })
  .refine(
    body => body.user === undefined || body.account === undefined,
    'name a user or an account, not both',
  )

export type NewToken = z.infer<typeof newTokenSchema>

const time = z.iso.datetime()

export const userView = z.object({
  id: z.string(),
  email: z.string(),
  role: roleSchema,
  disabled: z.boolean(),
  teams: z.array(z.string()),
  provider: z
    .string()
    .nullable()
    .describe('The identity provider they come from; null for people of the gateway itself.'),
  createdAt: time,
})

export const teamView = z.object({
  id: z.string(),
  name: z.string(),
  members: z.array(z.string()),
  createdAt: time,
})

export const accountView = z.object({
  id: z.string(),
  name: z.string(),
  owner: z.string().nullable(),
  disabled: z.boolean(),
  createdAt: time,
})

export const tokenView = z.object({
  id: z.string(),
  kind: z.enum(['pat', 'vat']),
  name: z.string(),
  subject: z.string().describe('Whom it stands for: user:<email> or account:<name>.'),
  hint: z.string().describe('Its prefix and last four characters.'),
  state: z.enum(['active', 'expired', 'revoked']),
  createdAt: time,
  expiresAt: time,
  lastUsedAt: time.nullable(),
  revokedAt: time.nullable(),
  replacedBy: z.string().nullable().describe('The id of the token that takes its place.'),
})

export const issuedToken = tokenView.extend({
  token: z.string().describe('The token itself, shown this once.'),
})

export const rotatedToken = issuedToken.extend({
  replaces: z
    .object({ id: z.string(), expiresAt: time })
    .describe('The token it takes the place of, and when that ends.'),
})

export type TokenView = z.infer<typeof tokenView>
export type IssuedToken = z.infer<typeof issuedToken>

export const meView = z.object({
  id: z.string(),
  kind: z.enum(['user', 'account', 'operator']),
  name: z.string(),
  role: roleSchema,
  subjects: z.array(z.string()).describe('Everything grants may call you.'),
  tokenId: z.string().nullable(),
})

/** A list as every list is answered: with the reason when it is empty. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), why: z.string().optional() })
}

export function listed<Item>(items: Item[], why: string): { items: Item[]; why?: string } {
  return items.length === 0 ? { items, why } : { items }
}

export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
