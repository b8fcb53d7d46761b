import { z } from 'zod'
import { apart, codeMembers, oauthSettings, together } from '../oauth/settings.ts'
import { type AuthType, bearer, overHttp, ownersBy } from './auth-type.ts'

const config = z
  .strictObject({ kind: z.literal('oauth2'), ...codeMembers })
  .describe(
    'Everybody connects an account of their own, with a browser. Discovery and registration are automatic; every part can be given by hand.',
  )

export const oauth2 = {
  kind: 'oauth2',
  title: 'OAuth 2.0, an account for each person',
  config,
  over: overHttp,
  apart,
  together: together('oauth2'),
  stored: opened => ({
    owners: asker => ownersBy('per-user', asker),
    headers: bearer,
    oauth: oauthSettings(opened),
    by: 'person',
  }),
} satisfies AuthType<z.infer<typeof config>>
