import { z } from 'zod'
import { mapValues } from '../../foundation/map-values.ts'
import { checkHeaders } from '../header-rules.ts'
import type { AuthType } from './auth-type.ts'

const config = z
  .strictObject({
    kind: z.literal('headers'),
    headers: z
      .record(z.string().min(1).max(128), z.string().min(1).max(8192))
      .refine(headers => Object.keys(headers).length > 0, 'name at least one header')
      .refine(headers => Object.keys(headers).length <= 32, 'name at most 32 headers')
      .describe(`Header names and values; \${env:NAME} and \${file:/path} stand for secrets.`),
  })
  .describe('The same headers for every caller, such as an API key.')

export const headers = {
  kind: 'headers',
  title: 'Fixed headers',
  config,
  seal: ({ headers }, sealOne) => ({
    kind: 'headers',
    headers: mapValues(headers, (text, name) => sealOne(name, text)),
  }),
  headers(stored, openOne) {
    if (stored.kind !== 'headers') return {}
    const opened = mapValues(stored.headers, (value, name) => openOne(name, value))
    checkHeaders(opened)
    return opened
  },
} satisfies AuthType<z.infer<typeof config>>
