import { z } from 'zod'
import { fail } from '../../../foundation/errors.ts'
import { readKey } from '../../../foundation/key-material.ts'
import { localWrapper } from './local.ts'
import type { KeyProvider } from './provider.ts'

const config = z.strictObject({
  kind: z.literal('environment'),
  variable: z
    .string()
    .regex(
      /^(?!GATEHOUSE_)[A-Za-z_][A-Za-z0-9_]*$/,
      'expected the name of a variable that does not begin with GATEHOUSE_',
    )
    .describe('Holds 32 random bytes in base64 or hex.'),
})

export const environment = {
  kind: 'environment',
  title: 'A key in an environment variable',
  config,
  isLocal: true,
  open({ variable }, { environment: given }) {
    const text = given[variable]
    if (text === undefined || text === '')
      return fail('config.invalid', {
        why: `The variable ${variable} is not set, and a key of the vault is to be in it.`,
        fix: `Set ${variable}, or correct vault.keys.`,
      })
    return localWrapper(readKey(text, `The variable ${variable}`), `the variable ${variable}`)
  },
} satisfies KeyProvider<z.infer<typeof config>>
