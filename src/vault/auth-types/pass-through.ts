import { z } from 'zod'
import { type AuthType, identityProviderSchema, overHttp } from './auth-type.ts'

const members = {
  identityProvider: identityProviderSchema,
  audience: z
    .string()
    .min(1)
    .max(2000)
    .optional()
    .describe('Whom the token must be for, letter by letter. Unless told: the URL of the server.'),
}

const config = z
  .strictObject({ kind: z.literal('pass-through'), ...members })
  .describe(
    "The caller's own token of their identity provider is passed on, if it is for the server. Tokens of the gateway never are. Only admins set it.",
  )

const settingsSchema = z.object(members)

export const passThrough = {
  kind: 'pass-through',
  title: "The caller's own token of their identity provider",
  config,
  over: overHttp,
  isForAdmins: true,
  apart: ({ kind: _, ...settings }) => ({ settings, secrets: {} }),
  together: ({ settings }) => ({ kind: 'pass-through', ...settings }),
  stored({ settings }) {
    const { identityProvider: provider, audience } = settingsSchema.parse(settings)
    return { owners: () => [], headers: () => ({}), by: 'call', passes: { provider, audience } }
  },
} satisfies AuthType<z.infer<typeof config>>
