/** A look at an identity provider, step by step, that says what works. */
import { z } from 'zod'
import type { JsonObject } from '../../foundation/json.ts'
import { discoveryUrl, ProviderTrouble, readJson, readMetadata } from './bearer/metadata.ts'
import { usableKeys } from './bearer/usable-keys.ts'
import type { IdentityProvider } from './provider.ts'

export const stepView = z.object({
  step: z.enum(['discovery', 'issuer', 'keys', 'algorithms', 'endpoints', 'pkce', 'groups']),
  outcome: z.enum(['passes', 'fails', 'tells']),
  says: z.string(),
})

type Step = z.infer<typeof stepView>

const passes = (step: Step['step'], says: string): Step => ({ step, outcome: 'passes', says })
const fails = (step: Step['step'], says: string): Step => ({ step, outcome: 'fails', says })
const tells = (step: Step['step'], says: string): Step => ({ step, outcome: 'tells', says })

export async function tryOut(provider: IdentityProvider): Promise<Step[]> {
  const { steps, metadata } = await tryMetadata(provider)
  return [
    ...steps,
    ...(await tryKeys(provider, metadata)),
    algorithmsStep(provider, metadata),
    ...(provider.use.signIn ? signInSteps(provider, metadata) : []),
    ...groupSteps(provider),
  ]
}

async function tryMetadata(provider: IdentityProvider): Promise<{ steps: Step[]; metadata: JsonObject }> {
  const url = discoveryUrl(provider.issuer)
  try {
    const metadata = await readMetadata(provider)
    return {
      metadata,
      steps: [passes('discovery', `${url} answers.`), passes('issuer', 'It names exactly this issuer.')],
    }
  } catch (error) {
    if (!(error instanceof ProviderTrouble)) throw error
    const isOther = error.message.includes('another issuer')
    const steps = isOther
      ? [passes('discovery', `${url} answers.`), fails('issuer', error.message)]
      : [outcomeOf(provider, `${url}: ${error.message}`)]
    return { metadata: {}, steps }
  }
}

/** Without discovery it works all the same where the addresses were given by hand. */
function outcomeOf({ endpoints, use }: IdentityProvider, says: string): Step {
  const { jwksUri, authorizationEndpoint, tokenEndpoint } = endpoints
  const isByHand =
    jwksUri !== undefined &&
    (!use.signIn || (authorizationEndpoint !== undefined && tokenEndpoint !== undefined))
  return isByHand
    ? tells('discovery', `${says} The addresses given by hand are used.`)
    : fails('discovery', says)
}

async function tryKeys(provider: IdentityProvider, metadata: JsonObject): Promise<Step[]> {
  const { jwksUri = metadata.jwks_uri } = provider.endpoints
  if (typeof jwksUri !== 'string') return [fails('keys', 'Nothing says where its keys are.')]
  try {
    const { keys } = usableKeys(await readJson(jwksUri, provider))
    return [passes('keys', `${jwksUri} shows ${keys.length} keys for signatures.`)]
  } catch (error) {
    if (!(error instanceof ProviderTrouble)) throw error
    return [fails('keys', `${jwksUri}: ${error.message}`)]
  }
}

function algorithmsStep({ algorithms }: IdentityProvider, metadata: JsonObject): Step {
  const theirs = listed(metadata.id_token_signing_alg_values_supported)
  const common = algorithms.filter(one => theirs.includes(one))
  if (theirs.length === 0)
    return tells('algorithms', `It does not say which it uses; taken are ${algorithms.join(', ')}.`)
  return common.length === 0
    ? fails('algorithms', `It signs by ${theirs.slice(0, 20).join(', ')}, of which none is taken.`)
    : passes('algorithms', `It signs by ${common.join(', ')}.`)
}

function signInSteps({ endpoints }: IdentityProvider, metadata: JsonObject): Step[] {
  const { authorizationEndpoint = metadata.authorization_endpoint, tokenEndpoint = metadata.token_endpoint } =
    endpoints
  const isThere = typeof authorizationEndpoint === 'string' && typeof tokenEndpoint === 'string'
  const methods = listed(metadata.code_challenge_methods_supported)
  return [
    isThere
      ? passes('endpoints', 'It signs people in, and gives tokens.')
      : fails('endpoints', 'It does not say where people sign in.'),
    methods.includes('S256')
      ? passes('pkce', 'It takes PKCE with S256.')
      : tells('pkce', 'It does not say that it takes PKCE; it is sent all the same, and a nonce with it.'),
  ]
}

function groupSteps({ preset, teams }: IdentityProvider): Step[] {
  const isMapped = teams.prefix !== undefined || Object.keys(teams.map).length > 0
  if (preset === 'google' && isMapped)
    return [fails('groups', 'Google tells of no groups: nobody gets into a team by it.')]
  return []
}

function listed(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(one => typeof one === 'string') : []
}

export function isWell(steps: readonly Step[]): boolean {
  return steps.every(({ outcome }) => outcome !== 'fails')
}
