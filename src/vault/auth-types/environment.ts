import { z } from 'zod'
import { mapValues } from '../../foundation/map-values.ts'
import { environmentObjection } from '../../upstreams/index.ts'
import { type AuthType, ownersBy, type Written, whoseSchema } from './auth-type.ts'
import { fieldsOf, fieldsSchema, filled, wrongWith } from './placeholders.ts'

const config = z
  .strictObject({
    kind: z.literal('environment'),
    environment: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().min(1).max(32_768))
      .refine(environment => Object.keys(environment).length > 0, 'name at least one variable')
      .describe(
        'Variables of the process, besides those of its transport; {{NAME}} stands for what each user or team gives.',
      ),
    credentials: whoseSchema.exclude(['shared']),
    fields: fieldsSchema,
  })
  .superRefine(({ environment, fields }, issues) => {
    const why =
      environmentObjection(environment) ??
      wrongWith(Object.values(environment), { isShared: false, ...(fields && { fields }) })
    if (why !== undefined) issues.addIssue({ code: 'custom', path: ['environment'], message: why })
  })
  .describe('Variables of a process with values of each user or team; it needs instance: per-user.')

const settingsSchema = z.object({ credentials: whoseSchema, fields: fieldsSchema })
const prefix = 'environment.'

function named(secrets: Written['secrets']): Record<string, string> {
  return Object.fromEntries(Object.entries(secrets).map(([key, text]) => [key.slice(prefix.length), text]))
}

export const environment = {
  kind: 'environment',
  title: 'Environment of a process, with values of each user or team',
  config,
  over: ['stdio'],
  needsOwnProcess: true,
  apart: ({ environment, kind: _, ...settings }) => ({
    settings,
    secrets: Object.fromEntries(Object.entries(environment).map(([name, text]) => [prefix + name, text])),
  }),
  together: ({ settings, secrets }) => ({ kind: 'environment', environment: named(secrets), ...settings }),
  stored(written) {
    const { credentials, fields } = settingsSchema.parse(written.settings)
    return {
      owners: asker => ownersBy(credentials, asker),
      headers: () => ({}),
      environment: ({ values = {} }) => mapValues(named(written.secrets), text => filled(text, values)),
      by: 'person',
      isOfTeams: credentials === 'per-team',
      fields: fieldsOf(Object.values(written.secrets), fields),
    }
  },
} satisfies AuthType<z.infer<typeof config>>
