/** What can be said about the authorization server of an upstream. Whatever is left out is discovered. */
import { z } from 'zod'
import type { Written } from '../auth-types/auth-type.ts'

const endpoint = z.url({ protocol: /^https?$/ }).max(2000)
const parameters = z
  .record(z.string().regex(/^[\w.:-]{1,64}$/), z.string().max(2000))
  .refine(
    all => Object.keys(all).every(name => !own.has(name)),
    'names a parameter that is set by the gateway',
  )

/** Nobody else's to set: they tie the answer to the question. */
const own = new Set([
  'response_type',
  'client_id',
  'client_secret',
  'client_assertion',
  'redirect_uri',
  'state',
  'code',
  'code_challenge',
  'code_challenge_method',
  'code_verifier',
  'refresh_token',
  'grant_type',
  'subject_token',
  'subject_token_type',
  'assertion',
  'requested_token_use',
])

export const clientAuthentications = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
] as const

/** The members every kind of OAuth has. */
export const oauthMembers = {
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/))
    .max(100)
    .optional()
    .describe('Scopes to ask for. Unless told: those the server asks for.'),
  issuer: endpoint
    .optional()
    .describe('The authorization server. Unless told: the one that the server names.'),
  tokenUrl: endpoint.optional().describe('Its token endpoint, where it has no metadata.'),
  revocationUrl: endpoint.optional().describe('Its revocation endpoint, where it has no metadata.'),
  resource: z
    .union([z.url().max(2000), z.literal(false)])
    .optional()
    .describe('What tokens are to be for (RFC 8707). Unless told: the URL of the server. false: not said.'),
  clientId: z.string().min(1).max(2000).optional().describe('The gateway as it was registered there.'),
  clientSecret: z.string().min(1).max(8192).optional().describe('Its secret, as a reference.'),
  privateKey: z
    .string()
    .min(1)
    .max(16_384)
    .optional()
    .describe('PEM (PKCS #8) of the key that signs for it (private_key_jwt), as a reference.'),
  keyId: z.string().max(256).optional().describe('The kid of that key.'),
  clientAuthentication: z
    .enum(clientAuthentications)
    .optional()
    .describe('How the gateway authenticates there. Unless told: the best of what both can.'),
  tokenParameters: parameters.optional().describe('Further parameters of token requests.'),
} as const

/** The same with what a person's way through a browser needs. */
export const codeMembers = {
  ...oauthMembers,
  authorizationUrl: endpoint.optional().describe('Its authorization endpoint, where it has no metadata.'),
  registrationUrl: endpoint
    .optional()
    .describe('Where the gateway registers itself, where there is no metadata.'),
  authorizationParameters: parameters.optional().describe('Further parameters of authorization requests.'),
} as const

const settingsSchema = z.object(codeMembers).omit({ clientSecret: true, privateKey: true })

export type OAuthSettings = z.infer<typeof settingsSchema> & {
  readonly clientSecret?: string | undefined
  readonly privateKey?: string | undefined
}

type Apart = {
  readonly kind: string
  readonly clientSecret?: string | undefined
  readonly privateKey?: string | undefined
}

/** The secrets apart from the rest. */
export function apart<Config extends Apart>({
  kind: _,
  clientSecret,
  privateKey,
  ...settings
}: Config): Written {
  const secrets = { ...(clientSecret && { clientSecret }), ...(privateKey && { privateKey }) }
  return { settings, secrets }
}

export function together(kind: string): (written: Written) => unknown {
  return ({ settings, secrets }) => ({ kind, ...settings, ...secrets })
}

/** The settings of an opened kind of OAuth. */
export function oauthSettings({ settings, secrets }: Written): OAuthSettings {
  return { ...settingsSchema.parse(settings), ...secrets }
}
