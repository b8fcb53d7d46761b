import { z } from 'zod'
import { readKeyFile } from '../../../foundation/key-material.ts'
import { localWrapper } from './local.ts'
import type { KeyProvider } from './provider.ts'

const config = z.strictObject({
  kind: z.literal('file'),
  path: z.string().min(1).describe('32 random bytes in base64 or hex, readable by nobody but the gateway.'),
})

export const file = {
  kind: 'file',
  title: 'A key in a file',
  config,
  isLocal: true,
  open: ({ path }) => localWrapper(readKeyFile(path, 'The key'), `the file ${path}`),
} satisfies KeyProvider<z.infer<typeof config>>
