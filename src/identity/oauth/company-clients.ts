/** OAuth clients that an admin entered: for applications that cannot register themselves, or may not. */
import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import { mostRedirects, wrongWithRedirect } from '../../foundation/redirect-uri.ts'
import type { Seals } from '../flows.ts'
import { nameSchema } from '../schemas.ts'
import { newToken } from '../token-format.ts'
import { secretPlace } from './clients.ts'
import {
  type ClientRow,
  clientById,
  clients,
  deleteClient,
  deleteGrantsOfClient,
  type From,
  putClient,
} from './table.ts'

const redirectSchema = z.string().superRefine((uri, context) => {
  const why = wrongWithRedirect(uri)
  if (why !== undefined) context.addIssue({ code: 'custom', message: `the redirect URI ${why}` })
})

/** What only a private or a shared key has (RFC 7518, 6). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

const publicKey = z
  .looseObject({ kty: z.enum(['EC', 'RSA', 'OKP']) })
  .refine(key => !privateMembers.some(member => member in key), {
    message: 'this is a private key: keep it, and give its public half',
  })

export const oauthClientSchema = z
  .strictObject({
    name: nameSchema.describe('Its client_id.'),
    title: z.string().min(1).max(200).optional().describe('What people are shown; the name unless told.'),
    redirectUris: z
      .array(redirectSchema)
      .min(1)
      .max(mostRedirects)
      .describe('Where it may be answered: https, a loopback address (any port), or a scheme of its own.'),
    authentication: z
      .enum(['none', 'secret', 'key'])
      .default('none')
      .describe(
        'How it proves that it is the client: not at all, by a secret, or by a key (private_key_jwt).',
      ),
    keys: z
      .array(publicKey)
      .min(1)
      .max(10)
      .optional()
      .describe('Its public keys, as JWKs; for authentication key.'),
    jwksUri: z
      .url({ protocol: /^https$/ })
      .max(500)
      .optional()
      .describe('Where it publishes its public keys; instead of keys.'),
  })
  .refine(
    ({ authentication, keys, jwksUri }) => keyPlaces(keys, jwksUri) === (authentication === 'key' ? 1 : 0),
    {
      message: 'keys or jwksUri, one of them, is for authentication: key, and needed there',
      path: ['keys'],
    },
  )

const keyPlaces = (...places: readonly unknown[]) => places.filter(place => place !== undefined).length

export type OAuthClientInput = z.infer<typeof oauthClientSchema>

/** Those of the company as the manifest has them, sorted. */
export async function readCompanyClients(from: From): Promise<OAuthClientInput[]> {
  const rows = await clients(from)
  return rows.filter(row => row.registered_by === 'company').map(inputOf)
}

const shownMethods = { none: 'none', client_secret_basic: 'secret', private_key_jwt: 'key' } as const
const stored = z.looseObject({
  redirect_uris: z.array(z.string()),
  token_endpoint_auth_method: z.enum(['none', 'client_secret_basic', 'private_key_jwt']),
  jwks: z.object({ keys: z.array(publicKey) }).optional(),
  jwks_uri: z.string().optional(),
})

export function inputOf({ id, name, metadata_json }: ClientRow): OAuthClientInput {
  const metadata = stored.parse(JSON.parse(metadata_json))
  return {
    name: id,
    ...(name === id ? {} : { title: name }),
    redirectUris: metadata.redirect_uris,
    authentication: shownMethods[metadata.token_endpoint_auth_method],
    ...(metadata.jwks === undefined ? {} : { keys: metadata.jwks.keys }),
    ...(metadata.jwks_uri === undefined ? {} : { jwksUri: metadata.jwks_uri }),
  }
}

const methods = { none: 'none', secret: 'client_secret_basic', key: 'private_key_jwt' } as const

/** Creates or changes it. A secret stays what it was; without one there is none until it is asked for. */
export async function putCompanyClient(tx: From, client: OAuthClientInput, now: number): Promise<void> {
  const known = await clientById(tx, client.name)
  const isSecret = client.authentication === 'secret'
  await putClient(tx, {
    id: client.name,
    registered_by: 'company',
    name: client.title ?? client.name,
    metadata_json: JSON.stringify({
      client_id: client.name,
      client_name: client.title ?? client.name,
      redirect_uris: client.redirectUris,
      token_endpoint_auth_method: methods[client.authentication],
      ...(client.keys === undefined ? {} : { jwks: { keys: client.keys } }),
      ...(client.jwksUri === undefined ? {} : { jwks_uri: client.jwksUri }),
    }),
    secret_sealed: isSecret ? (known?.secret_sealed ?? null) : null,
    version: (known?.version ?? 0) + 1,
    created_at: now,
    updated_at: now,
    used_at: null,
  })
}

/** A new secret in place of the old one. */
export async function renewSecret(
  tx: From,
  seals: Seals,
  { id, now }: { id: string; now: number },
): Promise<string> {
  const known = await companyClient(tx, id)
  if (inputOf(known).authentication !== 'secret')
    fail('http.bad_request', { why: `The client ${id} does not authenticate by a secret.` })
  const secret = newToken('ocs')
  const sealed = await seals.seal(secret, secretPlace(id))
  await putClient(tx, { ...known, secret_sealed: sealed, version: known.version + 1, updated_at: now })
  return secret
}

export async function companyClient(from: From, id: string): Promise<ClientRow> {
  const known = await clientById(from, id)
  return known ?? fail('oauth.unknown', { why: `There is no OAuth client ${id.slice(0, 100)}.` })
}

/** With everything people allowed it. */
export async function removeClient(tx: From, id: string): Promise<void> {
  await companyClient(tx, id)
  await deleteGrantsOfClient(tx, id)
  await deleteClient(tx, id)
}
