import { z } from 'zod'
import { asked, bytesOf, hasClasses, lazily, packageWith } from './cloud.ts'
import type { KeyProvider } from './provider.ts'

const packageName = '@google-cloud/kms'

type Asked = Readonly<Record<string, unknown>>
type GoogleKms = {
  KeyManagementServiceClient: new () => {
    encrypt(request: Asked): Promise<readonly unknown[]>
    decrypt(request: Asked): Promise<readonly unknown[]>
  }
}
const isGoogleKms = (loaded: unknown): loaded is GoogleKms =>
  hasClasses(loaded, ['KeyManagementServiceClient'])

const config = z.strictObject({
  kind: z.literal('google-kms'),
  key: z
    .string()
    .regex(/^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/)
    .describe('projects/../locations/../keyRings/../cryptoKeys/.., a symmetric key.'),
})

export const googleKms = {
  kind: 'google-kms',
  title: 'Google Cloud KMS',
  config,
  isLocal: false,
  open({ key: name }, means) {
    const named = `${name} of Google Cloud KMS`
    const open = lazily(async () => {
      const { KeyManagementServiceClient } = await packageWith(means, packageName, isGoogleKms)
      return new KeyManagementServiceClient()
    })
    const dataOf = (about: string) => ({ name, additionalAuthenticatedData: Buffer.from(about) })
    return {
      named,
      async wrap(plaintext, about) {
        const client = await open()
        const answer = await asked(named, async () => {
          const [first] = await client.encrypt({ ...dataOf(about), plaintext })
          return first
        })
        return bytesOf(answer, 'ciphertext', named).toString('base64')
      },
      async unwrap(wrapped, about) {
        const client = await open()
        const answer = await asked(named, async () => {
          const [first] = await client.decrypt({
            ...dataOf(about),
            ciphertext: Buffer.from(wrapped, 'base64'),
          })
          return first
        })
        return bytesOf(answer, 'plaintext', named)
      },
    }
  },
} satisfies KeyProvider<z.infer<typeof config>>
