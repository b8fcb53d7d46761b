import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { configuredKeys, loadPackage } from '../configured.ts'

const secret = createHash('sha256').update('the cloud keeps this').digest()
const refused = (code: string, why = '') =>
  expect.objectContaining({ code, why: expect.stringContaining(why) })

/** What a cloud does: wraps, and unwraps only with the same context. */
function wrap(plain: Uint8Array, context: string): Buffer {
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', secret, iv, { authTagLength: 16 }).setAAD(Buffer.from(context))
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function unwrap(bytes: Uint8Array, context: string): Uint8Array {
  const box = Buffer.from(bytes)
  const decipher = createDecipheriv('aes-256-gcm', secret, box.subarray(0, 12), { authTagLength: 16 })
  decipher.setAAD(Buffer.from(context)).setAuthTag(box.subarray(-16))
  return new Uint8Array(Buffer.concat([decipher.update(box.subarray(12, -16)), decipher.final()]))
}

class Refusal extends Error {
  constructor(name: string, more: object) {
    super('text with a secret in it: hunter2')
    this.name = name
    Object.assign(this, more)
  }
}

let failure: Error | undefined
const or = <T>(answer: () => T): Promise<T> =>
  failure === undefined ? Promise.resolve().then(answer) : Promise.reject(failure)

type AwsInput = { KeyId: string; Plaintext: Buffer; CiphertextBlob: Buffer; EncryptionContext: object }
const awsKms = {
  KMSClient: class {
    send = ({ input, verb }: { input: AwsInput; verb: string }) =>
      or(() => {
        const context = JSON.stringify([input.KeyId, input.EncryptionContext])
        if (verb === 'encrypt') return { CiphertextBlob: new Uint8Array(wrap(input.Plaintext, context)) }
        return { Plaintext: unwrap(input.CiphertextBlob, context) }
      })
  },
  EncryptCommand: class {
    verb = 'encrypt'
    input: AwsInput
    constructor(input: AwsInput) {
      this.input = input
    }
  },
  DecryptCommand: class {
    verb = 'decrypt'
    input: AwsInput
    constructor(input: AwsInput) {
      this.input = input
    }
  },
}

type GoogleInput = {
  name: string
  plaintext: Buffer
  ciphertext: Buffer
  additionalAuthenticatedData: Buffer
}
const googleKms = {
  KeyManagementServiceClient: class {
    encrypt = ({ name, plaintext, additionalAuthenticatedData }: GoogleInput) =>
      or(() => [{ ciphertext: wrap(plaintext, `${name} ${additionalAuthenticatedData}`) }])
    decrypt = ({ name, ciphertext, additionalAuthenticatedData }: GoogleInput) =>
      or(() => [{ plaintext: unwrap(ciphertext, `${name} ${additionalAuthenticatedData}`) }])
  },
}

const version = 'a'.repeat(32)
const azureKeys = {
  CryptographyClient: class {
    readonly #id: string
    constructor(id: string) {
      this.#id = id
    }
    wrapKey = (algorithm: string, key: Uint8Array) =>
      or(() => ({ result: wrap(key, algorithm), keyID: `${this.#id}/${version}` }))
    unwrapKey = (algorithm: string, wrapped: Uint8Array) =>
      or(() => {
        if (!this.#id.endsWith(version)) throw new Refusal('RestError', { statusCode: 400 })
        return { result: unwrap(wrapped, algorithm) }
      })
  },
}

const packages: Readonly<Record<string, unknown>> = {
  '@aws-sdk/client-kms': awsKms,
  '@google-cloud/kms': googleKms,
  '@azure/keyvault-keys': azureKeys,
  '@azure/identity': { DefaultAzureCredential: class {} },
}

const aws = { kind: 'aws-kms', key: 'alias/gatehouse', region: 'eu-central-1' }
const google = { kind: 'google-kms', key: 'projects/p/locations/l/keyRings/r/cryptoKeys/k' }
const azure = { kind: 'azure-key-vault', key: 'https://v.vault.azure.net/keys/gatehouse' }

function keyOf(configured: { kind: string }, load = async (name: string) => packages[name]) {
  const means = { masterKey: { derive: () => secret }, environment: {}, fetch: () => Promise.reject(), load }
  const key = configuredKeys({ key: 'k', keys: { k: configured } }, means).get('k')
  if (key === undefined) throw new Error('not configured')
  return key
}

describe.each([
  ['aws-kms', aws, '@aws-sdk/client-kms'],
  ['google-kms', google, '@google-cloud/kms'],
  ['azure-key-vault', azure, '@azure/keyvault-keys'],
] as const)('%s', (_, configured, packageName) => {
  it('gives back what it wrapped', async () => {
    const key = keyOf(configured)
    const plain = randomBytes(32)
    const wrapped = await key.wrap(plain, 'gatehouse vault key 1')
    expect(await key.unwrap(wrapped, 'gatehouse vault key 1')).toEqual(plain)
    expect(key.isLocal).toBe(false)
    expect(key.named).toContain(configured.key)
  })

  it('tells what passes from what stays, and nothing of the text of the error', async () => {
    const key = keyOf(configured)
    const wrapped = await key.wrap(randomBytes(32), 'a')
    const said = [
      [new Refusal('AccessDeniedException', { $metadata: { httpStatusCode: 400 } }), 'vault.key_refused'],
      [new Refusal('ThrottlingException', { $metadata: { httpStatusCode: 400 } }), 'vault.key_unreachable'],
      [new Refusal('Error', { code: 7 }), 'vault.key_refused'],
      [new Refusal('Error', { code: 14 }), 'vault.key_unreachable'],
      [new Refusal('RestError', { statusCode: 403 }), 'vault.key_refused'],
      [new Refusal('RestError', { statusCode: 503 }), 'vault.key_unreachable'],
      [new Refusal('Error', { code: 'ECONNREFUSED' }), 'vault.key_unreachable'],
    ] as const
    for (const [error, code] of said) {
      failure = error
      const outcome = await key.unwrap(wrapped, 'a').catch((thrown: unknown) => thrown)
      failure = undefined
      expect(outcome).toEqual(refused(code))
      expect(JSON.stringify(outcome)).not.toContain('hunter2')
    }
  })

  it('says which package to install, and when it is not what it should be', async () => {
    const absent = '@gatehouse/not-installed'
    const away = keyOf(configured, name => loadPackage(name.replace(packageName, absent)))
    await expect(away.wrap(secret, 'a')).rejects.toMatchObject({
      code: 'config.invalid',
      why: `The package ${absent} is needed for a key in vault.keys and is not installed.`,
      fix: `Install it beside Gatehouse: npm install ${absent}`,
    })
    await expect(keyOf(configured, async () => ({})).wrap(secret, 'a')).rejects.toEqual(
      refused('config.invalid', packageName),
    )
  })
})

it.each([aws, google])('$kind unwraps nothing in another context', async configured => {
  const key = keyOf(configured)
  const wrapped = await key.wrap(secret, 'a')
  await expect(key.unwrap(wrapped, 'b')).rejects.toThrow()
})

it('azure-key-vault asks for versions of its own key only', async () => {
  const key = keyOf(azure)
  const wrapped: { key: string } = JSON.parse(await key.wrap(secret, 'a'))
  expect(wrapped.key).toBe(`${azure.key}/${version}`)
  for (const elsewhere of ['https://evil.example/keys/gatehouse', `${azure.key}2/${version}`])
    await expect(key.unwrap(JSON.stringify({ ...wrapped, key: elsewhere }), 'a')).rejects.toEqual(
      refused('vault.key_wrong', elsewhere),
    )
})
