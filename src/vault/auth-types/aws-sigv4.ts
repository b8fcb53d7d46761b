import { z } from 'zod'
import { systemClock } from '../../foundation/clock.ts'
import type { Sign } from '../../upstreams/index.ts'
import { type AwsKeys, type AwsScope, signedHeaders } from '../aws-signature.ts'
import { checkHeaders } from '../header-rules.ts'
import { type AuthType, overHttp, ownersBy, type Written, whoseSchema } from './auth-type.ts'
import { fieldsOf, fieldsSchema, filled, namesIn, wrongWith } from './placeholders.ts'

const key = z.string().min(1).max(4096)

const settingsSchema = z.object({
  region: z.string().regex(/^[a-z0-9-]{1,64}$/),
  service: z.string().regex(/^[a-z0-9-]{1,64}$/),
  credentials: whoseSchema.optional(),
  fields: fieldsSchema,
})

const config = z
  .strictObject({
    kind: z.literal('aws-sigv4'),
    region: settingsSchema.shape.region.describe('eu-central-1, for example.'),
    service: settingsSchema.shape.service.describe(
      'The name that requests are signed for: bedrock-agentcore, execute-api, lambda, ...',
    ),
    accessKeyId: key.describe('{{NAME}} stands for what each user or team gives, here and in the secret.'),
    secretAccessKey: key,
    sessionToken: key.optional().describe('Of temporary keys.'),
    credentials: whoseSchema.optional(),
    fields: fieldsSchema,
  })
  .superRefine(({ credentials = 'shared', fields, ...written }, issues) => {
    const isShared = credentials === 'shared'
    const why = wrongWith(textsOf(written), { isShared, ...(fields && { fields }) })
    if (why !== undefined) issues.addIssue({ code: 'custom', path: ['secretAccessKey'], message: why })
  })
  .describe(
    'Requests signed with AWS keys (Signature Version 4): the same for every caller, or those of each user or team.',
  )

function textsOf({ accessKeyId, secretAccessKey, sessionToken }: AwsKeys): string[] {
  return [accessKeyId, secretAccessKey, ...(sessionToken === undefined ? [] : [sessionToken])]
}

const keysSchema = z.object({ accessKeyId: key, secretAccessKey: key, sessionToken: key.optional() })

/** Throws `vault.header_refused` for keys that would break a header. */
function signing({ settings, secrets }: Written, values: Readonly<Record<string, string>>): Sign {
  const { region, service }: AwsScope = settingsSchema.parse(settings)
  const written = keysSchema.parse(secrets)
  const keys = {
    accessKeyId: filled(written.accessKeyId, values),
    secretAccessKey: filled(written.secretAccessKey, values),
    sessionToken: written.sessionToken && filled(written.sessionToken, values),
  }
  checkHeaders({
    authorization: `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}`,
    ...(keys.sessionToken !== undefined && { 'x-amz-security-token': keys.sessionToken }),
  })
  return request => signedHeaders(request, keys, { region, service }, systemClock.now())
}

function anything({ secrets }: Written): Readonly<Record<string, string>> {
  return Object.fromEntries(namesIn(Object.values(secrets)).map(name => [name, 'x']))
}

export const awsSigv4 = {
  kind: 'aws-sigv4',
  title: 'AWS keys, signing every request',
  config,
  over: overHttp,
  apart: ({ kind: _, accessKeyId, secretAccessKey, sessionToken, ...settings }) => ({
    settings,
    secrets: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
  }),
  together: ({ settings, secrets }) => ({ kind: 'aws-sigv4', ...settings, ...secrets }),
  // With something in every place, so that the rules for headers hold when it is set up already.
  sign: written => signing(written, anything(written)),
  stored(written) {
    const { credentials = 'shared', fields } = settingsSchema.parse(written.settings)
    if (credentials === 'shared') return undefined
    return {
      owners: asker => ownersBy(credentials, asker),
      headers: () => ({}),
      sign: ({ values = {} }) => signing(written, values),
      by: 'person',
      isOfTeams: credentials === 'per-team',
      fields: fieldsOf(textsOf(keysSchema.parse(written.secrets)), fields),
    }
  },
} satisfies AuthType<z.infer<typeof config>>
