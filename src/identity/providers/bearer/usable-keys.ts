import type { JSONWebKeySet, JWK } from 'jose'
import { isObject, type JsonObject } from '../../../foundation/json.ts'
import { ProviderTrouble } from './metadata.ts'

const mostKeys = 100
const members = ['kty', 'kid', 'alg', 'use', 'crv', 'n', 'e', 'x', 'y'] as const

/** Public keys for signatures; everything secret, symmetric or foreign in a JWKS is left out. Throws `ProviderTrouble`. */
export function usableKeys({ keys }: JsonObject): JSONWebKeySet {
  if (!Array.isArray(keys)) throw new ProviderTrouble('Its JWKS has no list of keys.')
  const usable = keys.slice(0, mostKeys).filter(isObject).filter(isSigning)
  if (usable.length === 0) throw new ProviderTrouble('Its JWKS has no key for signatures.')
  return { keys: usable.map(publicPart) }
}

function isSigning({ kty, use }: JsonObject): boolean {
  return (kty === 'RSA' || kty === 'EC' || kty === 'OKP') && (use === undefined || use === 'sig')
}

function publicPart(key: JsonObject): JWK {
  const part: Record<string, string> = {}
  for (const name of members) {
    const value = key[name]
    if (typeof value === 'string') part[name] = value
  }
  return { ...part, kty: part.kty ?? '' }
}
