import { z } from 'zod'
import { checkHeaders } from '../header-rules.ts'
import { type AuthType, overHttp } from './auth-type.ts'

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

const prefix = 'headers.'

function named(secrets: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.entries(secrets).filter(([key]) => key.startsWith(prefix))
  return Object.fromEntries(own.map(([key, text]) => [key.slice(prefix.length), text]))
}

export const headers = {
  kind: 'headers',
  title: 'Fixed headers',
  config,
  over: overHttp,
  apart: ({ headers }) => ({
    settings: {},
    secrets: Object.fromEntries(Object.entries(headers).map(([name, text]) => [prefix + name, text])),
  }),
  together: ({ secrets }) => ({ kind: 'headers', headers: named(secrets) }),
  headers({ secrets }) {
    const opened = named(secrets)
    checkHeaders(opened)
    return opened
  },
} satisfies AuthType<z.infer<typeof config>>
