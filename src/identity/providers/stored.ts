/** An identity provider as it is kept, and how what people write becomes that. */
import { fail } from '../../foundation/errors.ts'
import type { From } from '../table.ts'
import { objections } from './objections.ts'
import type { ProviderInput, ProviderSettings } from './provider.ts'
import { type ProviderRow, providerRows } from './provider-table.ts'

/** A secret: sealed, and as a manifest shows it. */
export type StoredSecret = { readonly sealed: string; readonly text: string }

/** What this room needs of the vault, which stands to its right. Throws `vault.secret_missing`. */
export type SealSecret = (wanted: {
  readonly name: string
  readonly text: string
  readonly context: readonly string[]
  readonly placeholder: string
  readonly secrets: Secrets
  readonly previous: StoredSecret | undefined
}) => StoredSecret

/** Values of references by `env:NAME` and `file:/path`. */
export type Secrets = Readonly<Record<string, string>>

export type StoredProvider = {
  readonly name: string
  /** As people write it, with the reference in place of the secret. */
  readonly input: ProviderInput
  readonly secret: StoredSecret | undefined
}

/** The issuer never changes, so the secret is sealed for it. */
export const secretContext = (issuer: string): readonly string[] => [
  'identity_providers',
  issuer,
  'client_secret',
]

/** What our own columns hold was checked when it was written. */
export function settingsOf({ settings_json }: Pick<ProviderRow, 'settings_json'>): ProviderSettings {
  return JSON.parse(settings_json)
}

export function storedSecret({
  client_secret_json,
}: Pick<ProviderRow, 'client_secret_json'>): StoredSecret | undefined {
  return client_secret_json === null ? undefined : JSON.parse(client_secret_json)
}

export function storedProvider(row: ProviderRow): StoredProvider {
  const { name, issuer } = row
  const secret = storedSecret(row)
  const input = { name, issuer, ...settingsOf(row), ...(secret && { clientSecret: secret.text }) }
  return { name, input, secret }
}

/** In order of name. */
export async function readProviders(from: From): Promise<StoredProvider[]> {
  return (await providerRows(from)).filter(row => row.removed_at === null).map(storedProvider)
}

export type Composing = { readonly secrets: Secrets; readonly previous: StoredProvider | undefined }

/** What would be kept of it. Throws `http.bad_request` and `vault.secret_missing`. */
export function composeProvider(
  sealSecret: SealSecret,
  input: ProviderInput,
  { secrets, previous }: Composing,
): StoredProvider {
  const wrong = objections(input)
  if (wrong.length > 0)
    fail('http.bad_request', {
      why: wrong.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
    })
  const { name, issuer, clientSecret } = input
  if (previous !== undefined && previous.input.issuer !== issuer)
    fail('http.conflict', {
      why: `The issuer of ${name} is ${previous.input.issuer}; its people are known by it.`,
      fix: 'Add another identity provider for the new issuer.',
    })
  if (clientSecret === undefined) return { name, input, secret: undefined }
  const secret = sealSecret({
    name: 'clientSecret',
    text: clientSecret,
    context: secretContext(issuer),
    placeholder: `env:GATEHOUSE_SECRET_${name.toUpperCase().replaceAll('-', '_')}_CLIENT_SECRET`,
    secrets,
    previous: previous?.secret,
  })
  return { name, input: { ...input, clientSecret: secret.text }, secret }
}
