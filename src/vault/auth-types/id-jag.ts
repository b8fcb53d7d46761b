import { z } from 'zod'
import type { Secret } from '../../foundation/secret.ts'
import { trouble } from '../oauth/ask.ts'
import { apart, oauthMembers, oauthSettings, together } from '../oauth/settings.ts'
import { type AuthType, bearer, identityProviderSchema, overHttp, peopleOnly } from './auth-type.ts'

const { revocationUrl: _, ...members } = oauthMembers

const config = z
  .strictObject({ kind: z.literal('id-jag'), identityProvider: identityProviderSchema, ...members })
  .describe(
    'The identity provider lets the gateway act for the caller at the authorization server of the server (ID-JAG, enterprise-managed authorization). Only admins set it.',
  )

const settingsSchema = z.object({ identityProvider: identityProviderSchema })

const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
const idToken = 'urn:ietf:params:oauth:token-type:id_token'
const idJag = 'urn:ietf:params:oauth:token-type:id-jag'
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

export const idJagOut = {
  kind: 'id-jag',
  title: 'As the caller, by the word of their identity provider (ID-JAG)',
  config,
  over: overHttp,
  isForAdmins: true,
  apart,
  together: together('id-jag'),
  stored(opened) {
    const { identityProvider } = settingsSchema.parse(opened.settings)
    const settings = oauthSettings(opened)
    const { issuer = null, tokenUrl = null, clientId = null, scopes = null, resource = null } = settings
    return {
      owners: peopleOnly,
      headers: bearer,
      by: 'sign-in',
      onBehalf: {
        provider: identityProvider,
        subject: 'id',
        boundTo: ['id-jag', issuer, tokenUrl, clientId, resource, scopes, settings.tokenParameters ?? null],
        async obtain(subject: Secret, counters) {
          const at = await counters.ofServer(settings)
          const { authority } = at
          const scope = authority.scopes.length === 0 ? {} : { scope: authority.scopes.join(' ') }
          const home = await counters.provider({ resource: authority.resource ?? false })
          // Shown to nobody but who issued it; what comes of it is good at this one authorization server.
          const { access: assertion, issuedType } = await home.ask(
            {
              grant_type: exchange,
              requested_token_type: idJag,
              audience: authority.issuer,
              subject_token: subject.reveal(),
              subject_token_type: idToken,
              ...scope,
            },
            'assertion',
          )
          if (issuedType !== idJag) trouble('The identity provider gave something else than an ID-JAG.')
          const tokens = await at.ask({ grant_type: jwtBearer, assertion, ...scope })
          return { tokens, at }
        },
      },
    }
  },
} satisfies AuthType<z.infer<typeof config>>
