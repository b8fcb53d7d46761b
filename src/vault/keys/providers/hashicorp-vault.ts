/** HashiCorp Vault and OpenBao: the transit engine (developer.hashicorp.com/vault/api-docs/secret/transit). */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { fail, GatewayError } from '../../../foundation/errors.ts'
import type { KeyProvider, Means } from './provider.ts'

const pathPart = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/)

const config = z
  .strictObject({
    kind: z.literal('hashicorp-vault'),
    address: z.url({ protocol: /^https?$/ }).describe('https, or http on this machine.'),
    key: pathPart.describe(
      'Name of the key in the transit engine; its type must be an AEAD, as aes256-gcm96 is.',
    ),
    mount: pathPart.default('transit'),
    namespace: z.string().min(1).max(256).optional(),
    tokenFile: z.string().min(1).optional().describe('Read for every request, so an agent may renew it.'),
    tokenVariable: z.string().min(1).optional().describe('VAULT_TOKEN unless told.'),
  })
  .refine(({ tokenFile, tokenVariable }) => tokenFile === undefined || tokenVariable === undefined, {
    message: 'name tokenFile or tokenVariable, not both',
  })
type Config = z.infer<typeof config>

const answers = {
  encrypt: z.object({ data: z.object({ ciphertext: z.string().min(1).max(4096) }) }),
  decrypt: z.object({ data: z.object({ plaintext: z.base64() }) }),
}

export const hashicorpVault = {
  kind: 'hashicorp-vault',
  title: 'HashiCorp Vault (transit)',
  config,
  isLocal: false,
  open(settings, means) {
    const named = `${settings.mount}/${settings.key} of ${settings.address}`
    const ask = asking(settings, means, named)
    return {
      named,
      async wrap(key, about) {
        const answer = await ask('encrypt', {
          plaintext: key.toString('base64'),
          associated_data: encoded(about),
        })
        return parsed(answers.encrypt, answer, named).data.ciphertext
      },
      async unwrap(ciphertext, about) {
        const answer = await ask('decrypt', { ciphertext, associated_data: encoded(about) })
        return Buffer.from(parsed(answers.decrypt, answer, named).data.plaintext, 'base64')
      },
    }
  },
} satisfies KeyProvider<Config>

const encoded = (about: string) => Buffer.from(about).toString('base64')

function asking(settings: Config, means: Means, named: string) {
  const { address, mount, key, namespace } = settings
  return async (verb: 'encrypt' | 'decrypt', body: Record<string, string>): Promise<unknown> => {
    const response = await means
      .fetch(`${address.replace(/\/+$/, '')}/v1/${mount}/${verb}/${key}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-vault-token': await tokenOf(settings, means),
          'x-vault-request': 'true',
          ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
        },
        body: JSON.stringify(body),
      })
      .catch((cause: unknown) => unreachable(named, cause))
    if (response.status === 200) return response.json().catch(() => undefined)
    const isPassing = response.status >= 500 || response.status === 429 || response.status === 412
    if (isPassing) return fail('vault.key_unreachable', { why: `${named} answers ${response.status}.` })
    return fail('vault.key_refused', { why: `${named} answers ${response.status} to ${verb}.` })
  }
}

function unreachable(named: string, cause: unknown): never {
  if (cause instanceof GatewayError && cause.code === 'upstream.address_refused')
    return fail('vault.key_refused', { why: `${named}: ${cause.why}`, cause })
  return fail('vault.key_unreachable', { why: `${named} cannot be reached.`, cause })
}

async function tokenOf({ tokenFile, tokenVariable }: Config, { environment }: Means): Promise<string> {
  if (tokenFile !== undefined)
    return readFile(tokenFile, 'utf8').then(
      text => text.trim(),
      (cause: unknown) =>
        fail('vault.key_refused', { why: `The token file ${tokenFile} cannot be read.`, cause }),
    )
  const variable = tokenVariable ?? 'VAULT_TOKEN'
  return environment[variable] ?? fail('vault.key_refused', { why: `The variable ${variable} is not set.` })
}

function parsed<T>(schema: z.ZodType<T>, answer: unknown, named: string): T {
  const read = schema.safeParse(answer)
  return read.success
    ? read.data
    : fail('vault.key_unreachable', { why: `${named} gives an answer that is not Vault's.` })
}
