/** An identity provider as people write it, and with everything its preset says. */
import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import { nameSchema } from '../schemas.ts'
import { objections } from './objections.ts'
import { presetNames, presetOf } from './presets/index.ts'
import { algorithms, type ClaimNames } from './presets/preset.ts'

const claimName = z.string().min(1).max(200)
const url = z.url({ protocol: /^https?$/ }).max(2000)
const domain = z
  .string()
  .max(253)
  .toLowerCase()
  .regex(
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/,
    'write a domain such as example.com',
  )

const use = z
  .strictObject({
    signIn: z.boolean().default(false).describe('Do its people sign in here in a browser?'),
    bearer: z
      .array(z.enum(['mcp', 'api']))
      .max(2)
      .default([])
      .describe('Where its JWTs are taken as bearer tokens: at MCP endpoints, at the management API.'),
    workloads: z
      .boolean()
      .optional()
      .describe('May its JWTs stand for virtual accounts that name them as their workloads?'),
    idJag: z
      .boolean()
      .optional()
      .describe('May it let OAuth clients act for its people (ID-JAG), without a consent page here?'),
  })
  .describe('What it is allowed to do.')

const claims = z
  .strictObject({
    subject: claimName.optional(),
    email: claimName.optional(),
    emailVerified: claimName.optional(),
    groups: claimName.optional(),
    attributes: z
      .record(nameSchema, claimName)
      .refine(names => Object.keys(names).length <= 20, 'keep at most 20 attributes')
      .optional()
      .describe('What is kept of the claims besides: names of ours to claims of theirs.'),
  })
  .describe(
    'Which claim says what, where it is not as the preset has it. A path into objects is written with dots.',
  )

const teams = z
  .strictObject({
    map: z
      .record(z.string().min(1).max(256), nameSchema)
      .refine(map => Object.keys(map).length <= 1000, 'map at most 1000 groups')
      .default({})
      .describe('Groups of theirs to teams of ours.'),
    prefix: z
      .string()
      .max(100)
      .optional()
      .describe(
        'Every group that begins with it is a team: the rest is its name, and the team is made when it is not there.',
      ),
  })
  .describe('Which of its groups are teams. Without a mapping no group is.')

const bound = z
  .union([
    z.strictObject({ team: nameSchema }),
    z.strictObject({ groupPrefix: nameSchema.or(z.string().regex(/^[a-z0-9][a-z0-9-]{0,61}-$/)) }),
  ])
  .describe(
    'Its people can never be given anything outside: beyond what this team has, or beyond groups that begin so.',
  )

const endpoints = z
  .strictObject({
    jwksUri: url.optional(),
    authorizationEndpoint: url.optional(),
    tokenEndpoint: url.optional(),
    endSessionEndpoint: url.optional(),
  })
  .describe('Addresses by hand, where the provider has no discovery.')

const onBehalf = z
  .strictObject({
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/))
      .max(20)
      .default([])
      .describe('Further scopes to ask for at sign-in, such as one of an API whose tokens are exchanged.'),
  })
  .describe(
    'Keeps what it gives for its people when they sign in, sealed and renewed: for servers with token-exchange and id-jag.',
  )

/** Pages that are where the sign-in of a provider with such a name would be: `/sign-in/{name}`. */
const takenPaths = ['callback', 'passkey', 'done']

/** Before it is looked at as a whole. */
export const providerFields = z.strictObject({
  name: nameSchema.refine(name => !takenPaths.includes(name), 'this name is a page of signing in'),
  preset: z.enum(presetNames).default('oidc').describe('The product, whose ways are then known.'),
  title: z.string().max(100).default('').describe('What people read on the button that signs them in.'),
  issuer: url.describe('Exactly as its tokens say it: case and slashes count.'),
  clientId: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .describe('Of the gateway, as its client. Needed for sign-in.'),
  clientSecret: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe(`Write-only; \${env:NAME} and \${file:/path} stand for secrets. None for a public client.`),
  use: use.default({ signIn: false, bearer: [] }),
  audiences: z
    .array(z.string().min(1).max(500))
    .max(20)
    .default([])
    .describe('What bearer tokens must be for, each exactly. The URL of an MCP endpoint needs no entry.'),
  algorithms: z.array(z.enum(algorithms)).min(1).max(algorithms.length).optional(),
  claims: claims.default({}),
  teams: teams.default({ map: {} }),
  domains: z
    .array(domain)
    .max(100)
    .default([])
    .describe('Domains whose addresses it may vouch for. Only these make somebody known by e-mail.'),
  provisioning: z
    .enum(['create', 'invited'])
    .default('create')
    .describe('create: whoever it vouches for is let in. invited: only people who are known already.'),
  bound: bound.optional(),
  onBehalf: onBehalf.optional(),
  scim: z
    .strictObject({
      account: nameSchema.describe('The virtual account whose tokens provision its people and groups.'),
    })
    .optional()
    .describe('Lets it provision people and groups (SCIM 2.0) at /scim/v2.'),
  allowPrivateNetwork: z
    .boolean()
    .default(false)
    .describe('Lets the gateway reach it in a private network, and on loopback over http.'),
  endpoints: endpoints.default({}),
})

/** An identity provider as people write it. */
export const providerSchema = providerFields.superRefine((provider, context) => {
  for (const { path, message } of objections(provider))
    context.addIssue({ code: 'custom', path, message, input: provider })
})

export type ProviderInput = z.infer<typeof providerSchema>

const { shape } = providerFields

/** What a PATCH may name: null takes away what need not be there. */
export const changesSchema = z.strictObject({
  preset: shape.preset.unwrap().optional(),
  title: shape.title.unwrap().optional(),
  clientId: shape.clientId.nullable(),
  clientSecret: shape.clientSecret.nullable(),
  use: use.optional(),
  audiences: shape.audiences.unwrap().optional(),
  algorithms: shape.algorithms.nullable(),
  claims: claims.optional(),
  teams: teams.optional(),
  domains: shape.domains.unwrap().optional(),
  provisioning: shape.provisioning.unwrap().optional(),
  bound: shape.bound.nullable(),
  onBehalf: shape.onBehalf.nullable(),
  allowPrivateNetwork: z.boolean().optional(),
  endpoints: endpoints.optional(),
})

/** The provider after the change. Throws `http.bad_request`. */
export function changedInput(before: ProviderInput, changes: z.infer<typeof changesSchema>): ProviderInput {
  const named = Object.entries(changes).filter(([, value]) => value !== undefined)
  const after = Object.entries({ ...before, ...Object.fromEntries(named) }).filter(
    ([, value]) => value !== null,
  )
  const parsed = providerFields.safeParse(Object.fromEntries(after))
  return parsed.success ? parsed.data : fail('http.bad_request', { why: z.prettifyError(parsed.error) })
}

/** What is stored of it as JSON; name, issuer and secret have columns of their own. */
export type ProviderSettings = Omit<ProviderInput, 'name' | 'issuer' | 'clientSecret'>

/** An identity provider with everything its preset says. */
export type IdentityProvider = Omit<ProviderSettings, 'claims' | 'algorithms'> & {
  readonly id: string
  readonly name: string
  /** What people read. */
  readonly title: string
  /** Compared letter by letter. */
  readonly issuer: string
  readonly algorithms: readonly string[]
  readonly claims: ClaimNames & { readonly attributes: Readonly<Record<string, string>> }
  /** Raised by every change. */
  readonly version: number
}

type Stored = {
  readonly id: string
  readonly name: string
  readonly issuer: string
  readonly version: number
}

export function resolveProvider(stored: Stored, settings: ProviderSettings): IdentityProvider {
  const preset = presetOf(settings.preset)
  const { attributes = {}, ...names } = settings.claims
  return {
    ...settings,
    ...stored,
    title: settings.title === '' ? preset.title : settings.title,
    algorithms: settings.algorithms ?? preset.algorithms,
    claims: { ...preset.claims, ...withoutGaps(names), attributes },
  }
}

function withoutGaps(names: Partial<Record<keyof ClaimNames, string | undefined>>): Partial<ClaimNames> {
  return Object.fromEntries(Object.entries(names).filter(([, name]) => name !== undefined))
}
