/** Groups that a token of Entra leaves out because they are too many: read from Microsoft Graph, as the gateway's own application there. */
import { guardedFetch } from '../../egress/index.ts'
import { isObject, type JsonObject } from '../../foundation/json.ts'
import { ProviderTrouble, readMetadata } from './bearer/metadata.ts'
import type { Further } from './presets/preset.ts'
import type { IdentityProvider } from './provider.ts'

const totalMilliseconds = 5000
const answerBytes = 1024 * 1024
const onePage = 999
/** Beyond that somebody looks at a wrong directory. */
const mostPages = 12
const guid = /^[0-9a-f-]{36}$/i

/**
 * The ids of every group they are in, also through other groups. What a token says of where to ask is not looked at: the addresses are those
 * that the provider's own metadata name. Throws `ProviderTrouble`.
 */
export async function graphGroups({ provider, claims, secret }: Further): Promise<string[]> {
  const { oid } = claims
  if (typeof oid !== 'string' || !guid.test(oid))
    throw new ProviderTrouble('The token names nobody of the directory.')
  const metadata = await readMetadata(provider)
  const graph = originOf(provider, metadata.msgraph_host)
  const token = await tokenFor(provider, { graph, secret, tokenEndpoint: metadata.token_endpoint })
  const found: string[] = []
  let next: string | undefined = `${graph}/v1.0/users/${oid}/transitiveMemberOf?$select=id&$top=${onePage}`
  for (let page = 0; next !== undefined; page++) {
    if (page === mostPages)
      throw new ProviderTrouble('The directory tells of more groups than anybody is in.')
    const answer: JsonObject = await asked(provider, next, { headers: { authorization: `Bearer ${token}` } })
    found.push(...idsIn(answer))
    next = nextOf(answer, graph)
  }
  return found
}

function originOf({ issuer }: IdentityProvider, host: unknown): string {
  const { protocol } = new URL(issuer)
  const origin = typeof host === 'string' ? URL.parse(`${protocol}//${host}`) : null
  if (origin === null || origin.host !== host)
    throw new ProviderTrouble('Its metadata do not say where its directory is.')
  return origin.origin
}

type Client = { readonly graph: string; readonly secret: string; readonly tokenEndpoint: unknown }

async function tokenFor(
  provider: IdentityProvider,
  { graph, secret, tokenEndpoint }: Client,
): Promise<string> {
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: provider.clientId ?? '',
    client_secret: secret,
    scope: `${graph}/.default`,
  })
  const { access_token: token } = await asked(provider, String(tokenEndpoint), { method: 'POST', body })
  if (typeof token !== 'string' || token === '')
    throw new ProviderTrouble('It gives the gateway no token for its directory.')
  return token
}

async function asked(
  { allowPrivateNetwork }: IdentityProvider,
  url: string,
  init: RequestInit,
): Promise<JsonObject> {
  const send = guardedFetch({ allowPrivateNetwork, totalMilliseconds, answerBytes })
  const answer = await send(url, init).catch((cause: unknown) => {
    throw new ProviderTrouble('Its directory cannot be reached.', { cause })
  })
  if (answer.status === 401 || answer.status === 403)
    throw new ProviderTrouble(
      'It does not let the gateway read groups: give its application GroupMember.Read.All.',
    )
  if (answer.status !== 200)
    throw new ProviderTrouble(`Its directory answered with the status ${answer.status}.`)
  const said: unknown = await answer.json().catch(() => undefined)
  if (!isObject(said)) throw new ProviderTrouble('Its directory answered with no JSON object.')
  return said
}

function idsIn({ value }: JsonObject): string[] {
  if (!Array.isArray(value)) throw new ProviderTrouble('Its directory does not list groups.')
  return value.flatMap(each => (isObject(each) && typeof each.id === 'string' ? [each.id] : []))
}

/** The next page, in the same place and nowhere else: our token goes along. */
function nextOf({ '@odata.nextLink': next }: JsonObject, graph: string): string | undefined {
  if (next === undefined || next === null) return undefined
  if (typeof next === 'string' && URL.parse(next)?.origin === graph) return next
  throw new ProviderTrouble('Its directory leads elsewhere.')
}
