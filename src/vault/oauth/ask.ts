/** Questions to authorization servers: bounded, and nothing of their words goes to anybody. */
import { guardedFetch } from '../../egress/index.ts'
import type { PrivateNetwork } from '../../foundation/egress.ts'
import { fail, GatewayError } from '../../foundation/errors.ts'
import { isObject, type JsonObject } from '../../foundation/json.ts'
import type { OAuthSettings } from './settings.ts'

const totalMilliseconds = 10_000
const answerBytes = 262_144

export type Fetch = ReturnType<typeof guardedFetch>

/** A server, as far as its authorization server's place is concerned. */
export type Reach = {
  readonly url: string
  readonly allowPrivateNetwork: PrivateNetwork
  readonly settings: Pick<
    OAuthSettings,
    'issuer' | 'authorizationUrl' | 'tokenUrl' | 'registrationUrl' | 'revocationUrl'
  >
}

/**
 * What of private networks may this address be in? What the server may be in, and only for what is at its own host, was configured,
 * or is allowed by its name: a server names its authorization server itself, and must not lead the gateway to another machine of the
 * network.
 */
export function privateFor({ url, allowPrivateNetwork, settings }: Reach, address: string): PrivateNetwork {
  if (allowPrivateNetwork === false) return false
  const { issuer, authorizationUrl, tokenUrl, registrationUrl, revocationUrl } = settings
  const known = [url, issuer, authorizationUrl, tokenUrl, registrationUrl, revocationUrl]
  const host = URL.parse(address)?.hostname
  const isNamed = host !== undefined && allowPrivateNetwork !== true && allowPrivateNetwork.includes(host)
  const isKnown = isNamed || known.some(each => each !== undefined && URL.parse(each)?.hostname === host)
  return isKnown && allowPrivateNetwork
}

/** The way to the authorization server of an upstream. */
export function fetchFor(reach: Reach): Fetch {
  return (input, init) => {
    const address = input instanceof Request ? input.url : String(input)
    return wayTo(privateFor(reach, address))(input, init)
  }
}

export function wayTo(allowPrivateNetwork: PrivateNetwork): Fetch {
  return guardedFetch({ allowPrivateNetwork, totalMilliseconds, answerBytes })
}

/** Throws `vault.provider_trouble`: what the authorization server says, or that it says nothing, is of no use. */
export function trouble(why: string, cause?: unknown): never {
  return fail('vault.provider_trouble', { why, cause })
}

/** An answer whatever its status. Throws `vault.provider_trouble` when there is none. */
export async function ask(send: Fetch, url: string, init: RequestInit, what: string): Promise<Response> {
  try {
    return await send(url, init)
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return trouble(`Its ${what} ${said(error)}`, error)
  }
}

function said(error: GatewayError): string {
  switch (error.code) {
    case 'upstream.address_refused':
      return 'is at an address that may not be reached.'
    case 'upstream.timeout':
      return 'did not answer in time.'
    case 'upstream.too_large':
      return 'answered with more than it should.'
    default:
      return 'cannot be reached.'
  }
}

/** The JSON object of a GET; undefined where there is none. Throws `vault.provider_trouble`. */
export async function readDocument(
  send: Fetch,
  url: string,
  { what, isGuess }: { what: string; isGuess: boolean },
): Promise<JsonObject | undefined> {
  const answer = await ask(send, url, { headers: { accept: 'application/json' } }, what)
  if (answer.status >= 400 && answer.status < 500) return undefined
  // At a place that nobody named there may be a page for people, or a way to one.
  if (isGuess && answer.status < 500) return answer.status === 200 ? objectOf(answer) : undefined
  if (answer.status !== 200) return trouble(`Its ${what} answered ${answer.status}.`)
  return (await objectOf(answer)) ?? trouble(`Its ${what} answered with something that is no JSON object.`)
}

/** Undefined for what is no JSON object. */
export async function objectOf(answer: Response): Promise<JsonObject | undefined> {
  try {
    const value: unknown = await answer.json()
    return isObject(value) ? value : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
