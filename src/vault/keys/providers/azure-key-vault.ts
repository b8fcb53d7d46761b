import { z } from 'zod'
import { fail } from '../../../foundation/errors.ts'
import { isObject } from '../../../foundation/json.ts'
import { asked, bytesOf, hasClasses, lazily, packageWith } from './cloud.ts'
import type { KeyProvider } from './provider.ts'

const keysPackage = '@azure/keyvault-keys'
const identityPackage = '@azure/identity'
/** Anybody who has the public key can wrap with it; that the row is ours is what its proof in the database says. */
const algorithm = 'RSA-OAEP-256'

type AzureKeys = {
  CryptographyClient: new (
    keyId: string,
    credential: unknown,
  ) => {
    wrapKey(algorithm: string, key: Uint8Array): Promise<unknown>
    unwrapKey(algorithm: string, wrapped: Uint8Array): Promise<unknown>
  }
}
type AzureIdentity = { DefaultAzureCredential: new () => unknown }
const isAzureKeys = (loaded: unknown): loaded is AzureKeys => hasClasses(loaded, ['CryptographyClient'])
const isAzureIdentity = (loaded: unknown): loaded is AzureIdentity =>
  hasClasses(loaded, ['DefaultAzureCredential'])

const config = z.strictObject({
  kind: z.literal('azure-key-vault'),
  key: z
    .url({ protocol: /^https$/ })
    .regex(/\/keys\/[A-Za-z0-9-]{1,127}(?:\/[0-9a-f]{32})?$/)
    .describe('https://{vault}.vault.azure.net/keys/{name}, an RSA key; with a version, or the newest.'),
})

const stored = z.object({ key: z.string(), wrapped: z.base64() })

export const azureKeyVault = {
  kind: 'azure-key-vault',
  title: 'Azure Key Vault',
  config,
  isLocal: false,
  open({ key: keyId }, means) {
    const named = `${keyId} of Azure Key Vault`
    const open = lazily(async () => {
      const { CryptographyClient } = await packageWith(means, keysPackage, isAzureKeys)
      const { DefaultAzureCredential } = await packageWith(means, identityPackage, isAzureIdentity)
      const credential = new DefaultAzureCredential()
      return (id: string) => new CryptographyClient(id, credential)
    })
    return {
      named,
      async wrap(plain) {
        const client = (await open())(keyId)
        const answer = await asked(named, () => client.wrapKey(algorithm, plain))
        const version = isObject(answer) && typeof answer.keyID === 'string' ? answer.keyID : keyId
        const wrapped = bytesOf(answer, 'result', named).toString('base64')
        return JSON.stringify({ key: version, wrapped })
      },
      async unwrap(text) {
        const { key, wrapped } = stored.parse(JSON.parse(text))
        // A version of the key that is configured, and no key elsewhere.
        if (key !== keyId && !key.startsWith(`${keyId}/`))
          return fail('vault.key_wrong', { why: `It was wrapped by ${key}, and not by ${named}.` })
        const client = (await open())(key)
        const answer = await asked(named, () => client.unwrapKey(algorithm, Buffer.from(wrapped, 'base64')))
        return bytesOf(answer, 'result', named)
      },
    }
  },
} satisfies KeyProvider<z.infer<typeof config>>
