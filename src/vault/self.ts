/** The gateway as authorization servers of upstreams see it: its redirect URI, and the document that describes it. */
import { createECDH, createHash, createPrivateKey } from 'node:crypto'
import type { Addresses } from '../foundation/addresses.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { MasterKey } from '../foundation/master-key.ts'
import type { Self } from './oauth/client.ts'

export const callbackPath = '/connect/callback'
export const documentPath = '/connect/client.json'

export type OwnDocument = {
  self(): Self
  /** The document at `documentPath`; the public client of it where an authorization server takes no signatures. */
  document(isPublic: boolean): JsonObject
}

/** The key follows from the master key, so that every process signs with the same. */
export function openSelf(addresses: Addresses, masterKey: MasterKey): OwnDocument {
  const { pem, jwk } = keyFrom(masterKey)
  const redirectUri = () => addresses.origin() + callbackPath
  const documentUrl = () => addresses.origin() + documentPath
  return {
    self: () => ({
      redirectUri: redirectUri(),
      document: addresses.isSecure() ? documentUrl() : undefined,
      documentKey: { pem, keyId: jwk.kid },
    }),
    document: isPublic => ({
      client_id: documentUrl() + (isPublic ? '?public' : ''),
      client_name: `Gatehouse at ${new URL(addresses.origin()).host}`,
      client_uri: addresses.origin(),
      redirect_uris: [redirectUri()],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      application_type: 'web',
      token_endpoint_auth_method: isPublic ? 'none' : 'private_key_jwt',
      ...(isPublic ? {} : { token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [jwk] } }),
    }),
  }
}

function keyFrom(masterKey: MasterKey) {
  const curve = createECDH('prime256v1')
  const secret = masterKey.derive('upstream client key')
  curve.setPrivateKey(secret)
  const point = curve.getPublicKey()
  const open = {
    kty: 'EC',
    crv: 'P-256',
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  }
  const key = createPrivateKey({ key: { ...open, d: secret.toString('base64url') }, format: 'jwk' })
  const kid = createHash('sha256').update(point).digest('base64url').slice(0, 16)
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { pem, jwk: { ...open, kid, use: 'sig', alg: 'ES256' } }
}
