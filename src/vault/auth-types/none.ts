import { z } from 'zod'
import type { AuthType } from './auth-type.ts'

const config = z
  .strictObject({ kind: z.literal('none') })
  .describe('The server asks for nothing, or is a process of the gateway itself.')

export const none = {
  kind: 'none',
  title: 'No authentication',
  config,
  over: ['streamable-http', 'sse', 'stdio'],
  apart: () => ({ settings: {}, secrets: {} }),
  together: () => ({ kind: 'none' }),
  headers: () => ({}),
} satisfies AuthType<z.infer<typeof config>>
