/** What a provider says of itself at its discovery address. */
import { guardedFetch } from '../../../egress/index.ts'
import { isObject, type JsonObject } from '../../../foundation/json.ts'
import type { IdentityProvider } from '../provider.ts'

type Reached = Pick<IdentityProvider, 'issuer' | 'allowPrivateNetwork'>

const totalMilliseconds = 2500
const answerBytes = 262_144

/** Thrown with a sentence for whoever sets the provider up. Nothing of its answer stands in it. */
export class ProviderTrouble extends Error {}

export function discoveryUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
}

/** Its metadata, once they name exactly this issuer. Throws `ProviderTrouble`. */
export async function readMetadata(provider: Reached): Promise<JsonObject> {
  const metadata = await readJson(discoveryUrl(provider.issuer), provider)
  if (metadata.issuer !== provider.issuer)
    throw new ProviderTrouble('Its metadata name another issuer than the one that is configured.')
  return metadata
}

/** A JSON object from there, by GET. Throws `ProviderTrouble`. */
export async function readJson(
  url: string,
  { allowPrivateNetwork }: Pick<Reached, 'allowPrivateNetwork'>,
): Promise<JsonObject> {
  const get = guardedFetch({ allowPrivateNetwork, totalMilliseconds, answerBytes })
  const answer = await get(url, { headers: { accept: 'application/json' } }).catch((error: unknown) => {
    throw new ProviderTrouble(error instanceof Error ? error.message : 'It cannot be reached.', {
      cause: error,
    })
  })
  if (answer.status !== 200) throw new ProviderTrouble(`It answered with the status ${answer.status}.`)
  const value = await answer.json().catch((cause: unknown) => {
    throw new ProviderTrouble('Its answer is no JSON.', { cause })
  })
  if (!isObject(value)) throw new ProviderTrouble('Its answer is no JSON object.')
  return value
}
