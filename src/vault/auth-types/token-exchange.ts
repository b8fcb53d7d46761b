import { z } from 'zod'
import type { Secret } from '../../foundation/secret.ts'
import { apart, type OAuthSettings, oauthMembers, oauthSettings, together } from '../oauth/settings.ts'
import {
  type AuthType,
  bearer,
  identityProviderSchema,
  overHttp,
  peopleOnly,
  type Texts,
} from './auth-type.ts'

const { revocationUrl: _, ...members } = oauthMembers

const ways = {
  way: z
    .enum(['rfc8693', 'on-behalf-of'])
    .optional()
    .describe('rfc8693: token exchange (unless told). on-behalf-of: as Microsoft Entra has it.'),
  subjectToken: z
    .enum(['access', 'id'])
    .optional()
    .describe(
      'Which token of the caller is shown: the access token (unless told), or the ID token of their sign-in.',
    ),
  subjectTokenType: z
    .string()
    .max(200)
    .optional()
    .describe('How it is called there, where that is not usual.'),
  requestedTokenType: z
    .string()
    .max(200)
    .optional()
    .describe('What is asked for. Unless told: it is not said.'),
  audience: z
    .string()
    .min(1)
    .max(2000)
    .optional()
    .describe('For whom the new token is to be, by its name there.'),
}

const config = z
  .strictObject({
    kind: z.literal('token-exchange'),
    identityProvider: identityProviderSchema,
    ...members,
    ...ways,
  })
  .refine(
    ({ issuer, tokenUrl, clientId }) =>
      (issuer === undefined && tokenUrl === undefined) || clientId !== undefined,
    { path: ['clientId'], message: 'say who the gateway is at that authorization server' },
  )
  .refine(({ way, audience }) => way !== 'on-behalf-of' || audience === undefined, {
    path: ['audience'],
    message: 'on-behalf-of says it by its scopes',
  })
  .describe(
    'The token of the caller, of their identity provider, is exchanged for one of the server (RFC 8693). Only admins set it.',
  )

const settingsSchema = z.object({ identityProvider: identityProviderSchema, ...ways })
type Ways = z.infer<typeof settingsSchema>

const types = {
  access: 'urn:ietf:params:oauth:token-type:access_token',
  id: 'urn:ietf:params:oauth:token-type:id_token',
} as const

function parametersOf(token: string, settings: Ways & Pick<OAuthSettings, 'scopes'>): Texts {
  const { way, subjectToken = 'access', subjectTokenType, requestedTokenType, audience, scopes } = settings
  const scope = scopes === undefined || scopes.length === 0 ? {} : { scope: scopes.join(' ') }
  if (way === 'on-behalf-of')
    return {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      requested_token_use: 'on_behalf_of',
      assertion: token,
      ...scope,
    }
  return {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: subjectTokenType ?? types[subjectToken],
    ...(requestedTokenType !== undefined && { requested_token_type: requestedTokenType }),
    ...(audience !== undefined && { audience }),
    ...scope,
  }
}

/** Where an audience, or scopes, say for whom it is, the URL of the server is said only when it is told. */
function resourceOf({ resource }: OAuthSettings, { way, audience }: Ways): OAuthSettings['resource'] {
  return resource ?? (way === 'on-behalf-of' || audience !== undefined ? false : undefined)
}

export const tokenExchange = {
  kind: 'token-exchange',
  title: "The caller's token of their identity provider, exchanged",
  config,
  over: overHttp,
  isForAdmins: true,
  apart,
  together: together('token-exchange'),
  stored(opened) {
    const told = settingsSchema.parse(opened.settings)
    const oauth = oauthSettings(opened)
    const settings = { ...oauth, resource: resourceOf(oauth, told) }
    const { issuer = null, tokenUrl = null, clientId = null, scopes = null, resource = null } = settings
    const { tokenParameters = null } = settings
    const isElsewhere = issuer !== null || tokenUrl !== null
    return {
      owners: peopleOnly,
      headers: bearer,
      by: 'sign-in',
      onBehalf: {
        provider: told.identityProvider,
        subject: told.subjectToken ?? 'access',
        boundTo: ['token-exchange', issuer, tokenUrl, clientId, resource, scopes, tokenParameters, told],
        async obtain(subject: Secret, counters) {
          const at = await (isElsewhere ? counters.configured(settings) : counters.provider(settings))
          const tokens = await at.ask(parametersOf(subject.reveal(), { ...told, scopes: settings.scopes }))
          return { tokens, at }
        },
      },
    }
  },
} satisfies AuthType<z.infer<typeof config>>
