/**
 * An identity provider for one desk: OpenID Connect and OAuth 2.0 at http://127.0.0.1:4100, made with oidc-provider. It stands for Okta, Entra,
 * Keycloak or whatever your company has. It keeps nothing, knows no passwords, and is for this tutorial only.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import Provider, { type Configuration } from 'oidc-provider'

const issuer = 'http://127.0.0.1:4100'
const gateway = 'http://127.0.0.1:4000'

/** Whose tokens the calculator takes, and what they may allow there. */
const calculator = { resource: 'http://127.0.0.1:4200/mcp', scope: 'calculate' }

const configuration: Configuration = {
  // Everywhere else these are two applications that an administrator registers, with secrets that nobody else knows.
  clients: [
    {
      client_id: 'gatehouse',
      client_secret: 'a-secret-of-the-tutorial',
      redirect_uris: [`${gateway}/sign-in/callback`, `${gateway}/connect/callback`],
      grant_types: ['authorization_code', 'refresh_token'],
    },
    {
      client_id: 'gatehouse-nightly',
      client_secret: 'another-secret-of-the-tutorial',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
    },
  ],
  scopes: ['openid', 'email', 'offline_access'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  // Whatever address somebody types is theirs.
  findAccount: (_, email) => ({
    accountId: email,
    claims: () => ({ sub: email, email, email_verified: true }),
  }),
  // The calculator reads who it is from the token itself.
  extraTokenClaims: (_, token) => ('accountId' in token ? { email: token.accountId } : undefined),
  issueRefreshToken: () => true,
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  cookies: { keys: ['a-key-of-the-tutorial'] },
  ttl: { Session: 3600, Grant: 3600, Interaction: 600, IdToken: 600 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    // A token is a JWT for the one server it was asked for (RFC 8707), and good for five minutes: the gateway renews it.
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        audience: resource,
        scope: resource === calculator.resource ? calculator.scope : '',
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
}

const provider = new Provider(issuer, configuration)

/** The page of every question: who are you, and may this application act for you. */
async function ask(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  const application = String(params.client_id)
  if (request.method !== 'POST') return show(response, prompt.name, application)
  if (prompt.name === 'login') {
    const accountId = new URLSearchParams(await text(request)).get('email') ?? ''
    return provider.interactionFinished(request, response, { login: { accountId } })
  }
  // One yes is for all there is: who they are, and to calculate in their name.
  const grant = new provider.Grant({ accountId: session?.accountId ?? '', clientId: application })
  grant.addOIDCScope('openid email offline_access')
  grant.addResourceScope(calculator.resource, calculator.scope)
  const consent = { grantId: await grant.save() }
  await provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true })
}

function show(response: ServerResponse, question: string, application: string): void {
  const form =
    question === 'login'
      ? '<label>Your e-mail address <input name="email" type="email" required autofocus></label> <button>Sign in</button>'
      : `<p>${application} wants to act for you.</p><button autofocus>Allow</button>`
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
  response.end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Office</title>
<h1>Office</h1><form method="post">${form}</form></html>`)
}

const answer = provider.callback()
createServer((request, response) => {
  if (request.url?.startsWith('/interaction/'))
    ask(request, response).catch(error => response.writeHead(400).end(String(error)))
  else answer(request, response)
}).listen(4100, '127.0.0.1', () => process.stdout.write(`The identity provider is at ${issuer}\n`))
