import { z } from 'zod'
import { everyone } from '../credentials/credential.ts'
import { apart, oauthMembers, oauthSettings, together } from '../oauth/settings.ts'
import { type AuthType, bearer, overHttp } from './auth-type.ts'

const config = z
  .strictObject({
    kind: z.literal('client-credentials'),
    ...oauthMembers,
    clientId: z.string().min(1).max(2000).describe('The gateway as it was registered there.'),
  })
  .refine(({ clientSecret, privateKey }) => (clientSecret === undefined) !== (privateKey === undefined), {
    message: 'give clientSecret or privateKey',
  })
  .describe('The gateway has an account of its own (OAuth 2.0 client credentials), which every caller uses.')

export const clientCredentials = {
  kind: 'client-credentials',
  title: 'OAuth 2.0, one account of the gateway',
  config,
  over: overHttp,
  apart,
  together: together('client-credentials'),
  stored: opened => ({
    owners: () => [everyone],
    headers: bearer,
    oauth: oauthSettings(opened),
    by: 'gateway',
    grant: { grant_type: 'client_credentials' },
  }),
} satisfies AuthType<z.infer<typeof config>>
