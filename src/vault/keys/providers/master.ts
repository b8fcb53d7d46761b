import { z } from 'zod'
import { localWrapper } from './local.ts'
import type { KeyProvider } from './provider.ts'

const config = z.strictObject({ kind: z.literal('master') })

export const master = {
  kind: 'master',
  title: 'The master key of this gateway',
  config,
  isLocal: true,
  open: (_, { masterKey }) => localWrapper(masterKey.derive('vault keys'), 'the master key'),
} satisfies KeyProvider<z.infer<typeof config>>
