import { z } from 'zod'
import { mapValues } from '../../foundation/map-values.ts'
import { checkHeaders } from '../header-rules.ts'
import { type AuthType, overHttp, ownersBy, type Written, whoseSchema } from './auth-type.ts'
import { fieldsOf, fieldsSchema, filled, namesIn, wrongWith } from './placeholders.ts'

const config = z
  .strictObject({
    kind: z.literal('headers'),
    headers: z
      .record(z.string().min(1).max(128), z.string().min(1).max(8192))
      .refine(headers => Object.keys(headers).length > 0, 'name at least one header')
      .refine(headers => Object.keys(headers).length <= 32, 'name at most 32 headers')
      .describe(
        `Header names and values; \${env:NAME} and \${file:/path} stand for secrets, {{NAME}} for what each user or team gives.`,
      ),
    credentials: whoseSchema.optional(),
    fields: fieldsSchema,
  })
  .superRefine(({ headers, credentials = 'shared', fields }, issues) => {
    const why = wrongWith(Object.values(headers), {
      isShared: credentials === 'shared',
      ...(fields && { fields }),
    })
    if (why !== undefined) issues.addIssue({ code: 'custom', path: ['headers'], message: why })
  })
  .describe('Headers such as an API key: the same for every caller, or with values of each user or team.')

type Config = z.infer<typeof config>

const settingsSchema = z.object({ credentials: whoseSchema.optional(), fields: fieldsSchema })
const prefix = 'headers.'

function named(secrets: Written['secrets']): Record<string, string> {
  const own = Object.entries(secrets).filter(([key]) => key.startsWith(prefix))
  return Object.fromEntries(own.map(([key, text]) => [key.slice(prefix.length), text]))
}

function headersWith({ secrets }: Written, values: Readonly<Record<string, string>>): Record<string, string> {
  const headers = mapValues(named(secrets), text => filled(text, values))
  checkHeaders(headers)
  return headers
}

export const headers = {
  kind: 'headers',
  title: 'Headers',
  config,
  over: overHttp,
  apart: ({ headers, kind: _, ...settings }) => ({
    settings,
    secrets: Object.fromEntries(Object.entries(headers).map(([name, text]) => [prefix + name, text])),
  }),
  together: ({ settings, secrets }) => ({ kind: 'headers', headers: named(secrets), ...settings }),
  // With something in every place, so that the rules for headers hold when it is set up already.
  headers: written =>
    headersWith(
      written,
      Object.fromEntries(namesIn(Object.values(written.secrets)).map(name => [name, 'x'])),
    ),
  stored(written) {
    const { credentials = 'shared', fields } = settingsSchema.parse(written.settings)
    if (credentials === 'shared') return undefined
    return {
      owners: asker => ownersBy(credentials, asker),
      headers: ({ values = {} }) => headersWith(written, values),
      by: 'person',
      isOfTeams: credentials === 'per-team',
      fields: fieldsOf(Object.values(written.secrets), fields),
    }
  },
} satisfies AuthType<Config>
