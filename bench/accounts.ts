/** The same calls to the same stub: with a key that is the same for everybody, and with an account that the caller connected. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { signedInBrowser } from '../test/fixtures/oauth-browser.ts'
import { email, type RunningGateway } from './gateway.ts'

/** As long as usual tokens are. */
const token = 'a'.repeat(40)

export const accountServers = ['headers', 'accounts'] as const

/** Registers both, and connects the account of whoever calls. */
export async function registerAccounts(gateway: RunningGateway, stub: number): Promise<void> {
  const url = `http://127.0.0.1:${stub}/mcp`
  const transport = { kind: 'streamable-http', url, allowPrivateNetwork: true }
  for (const [name, auth] of Object.entries(authsWith(await startTokenServer())))
    await gateway.api('POST /servers', { group: 'bench', name, transport, auth })
  await connect(gateway)
}

export function authsWith(origin: string) {
  const at = { issuer: origin, authorizationUrl: `${origin}/authorize`, tokenUrl: `${origin}/token` }
  return {
    headers: { kind: 'headers', headers: { Authorization: `Bearer ${token}` } },
    accounts: { kind: 'oauth2', clientId: 'bench', ...at },
  }
}

/** Gives the same tokens to whoever asks. */
export async function startTokenServer(): Promise<string> {
  const tokens = {
    access_token: token,
    token_type: 'Bearer',
    expires_in: 86_400,
    refresh_token: 'r'.repeat(40),
  }
  const server = createServer((request, response) => {
    request.resume()
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(tokens))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What a person does with a browser; the authorization server would send them back at once. */
async function connect({ dataDir, port }: RunningGateway): Promise<void> {
  const browser = await signedInBrowser({ dataDir }, email)
  const origin = `http://127.0.0.1:${port}`
  const onward = await browser.submit(await browser.go(`${origin}/connect/bench/accounts`), {})
  const [, state = ''] = /[?;&]state=([\w-]+)/.exec(onward.text) ?? []
  const done = await browser.go(`${origin}/connect/callback?code=bench&state=${state}`)
  if (!done.text.includes('is connected')) throw new Error(`not connected: ${done.status} ${done.text}`)
}
