import { z } from 'zod'
import { asked, bytesOf, hasClasses, lazily, packageWith } from './cloud.ts'
import type { KeyProvider } from './provider.ts'

const packageName = '@aws-sdk/client-kms'

type Client = { send(command: unknown): Promise<unknown> }
type AwsKms = {
  KMSClient: new (settings: { region?: string | undefined; endpoint?: string | undefined }) => Client
  EncryptCommand: new (input: Readonly<Record<string, unknown>>) => unknown
  DecryptCommand: new (input: Readonly<Record<string, unknown>>) => unknown
}
const isAwsKms = (loaded: unknown): loaded is AwsKms =>
  hasClasses(loaded, ['KMSClient', 'EncryptCommand', 'DecryptCommand'])

const config = z.strictObject({
  kind: z.literal('aws-kms'),
  key: z.string().min(1).max(2048).describe('ARN, id or alias of a symmetric key.'),
  region: z.string().min(1).optional().describe('That of the AWS environment unless told.'),
  endpoint: z.url({ protocol: /^https?$/ }).optional(),
})

export const awsKms = {
  kind: 'aws-kms',
  title: 'AWS KMS',
  config,
  isLocal: false,
  open({ key: KeyId, region, endpoint }, means) {
    const named = `${KeyId} of AWS KMS`
    const open = lazily(async () => {
      const kms = await packageWith(means, packageName, isAwsKms)
      return { kms, client: new kms.KMSClient({ region, endpoint }) }
    })
    const contextOf = (about: string) => ({ gatehouse: about })
    return {
      named,
      async wrap(key, about) {
        const { kms, client } = await open()
        const command = new kms.EncryptCommand({ KeyId, Plaintext: key, EncryptionContext: contextOf(about) })
        const answer = await asked(named, () => client.send(command))
        return bytesOf(answer, 'CiphertextBlob', named).toString('base64')
      },
      async unwrap(wrapped, about) {
        const { kms, client } = await open()
        const CiphertextBlob = Buffer.from(wrapped, 'base64')
        const command = new kms.DecryptCommand({ KeyId, CiphertextBlob, EncryptionContext: contextOf(about) })
        return bytesOf(await asked(named, () => client.send(command)), 'Plaintext', named)
      },
    }
  },
} satisfies KeyProvider<z.infer<typeof config>>
