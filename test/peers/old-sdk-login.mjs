// A client on the SDK as it was for revision 2025-03-26: `node old-sdk-login.mjs <url> <tool>` prints where its person allows it, waits for
// the browser to come back, and prints what the tool said as JSON.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { UnauthorizedError } from 'sdk-of-2025-03-26/client/auth.js'
import { Client } from 'sdk-of-2025-03-26/client/index.js'
import { StreamableHTTPClientTransport } from 'sdk-of-2025-03-26/client/streamableHttp.js'

const [url, tool] = process.argv.slice(2)
const kept = {}
const { promise: code, resolve } = Promise.withResolvers()
const server = createServer((request, response) => {
  resolve(new URL(request.url, url).searchParams.get('code'))
  response.end('Back.')
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const redirectUrl = `http://127.0.0.1:${server.address().port}/callback`
const authProvider = {
  redirectUrl,
  clientMetadata: {
    client_name: 'Old SDK',
    redirect_uris: [redirectUrl],
    token_endpoint_auth_method: 'none',
  },
  clientInformation: () => kept.client,
  saveClientInformation: client => Object.assign(kept, { client }),
  tokens: () => kept.tokens,
  saveTokens: tokens => Object.assign(kept, { tokens }),
  redirectToAuthorization: to => console.log(`authorize: ${to}`),
  saveCodeVerifier: verifier => Object.assign(kept, { verifier }),
  codeVerifier: () => kept.verifier,
}
const connect = async () => {
  const client = new Client({ name: 'old-sdk', version: '1.0.0' })
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider })
  await client.connect(transport).catch(async error => {
    if (!(error instanceof UnauthorizedError) || kept.tokens) throw error
    await transport.finishAuth(await code)
  })
  return client
}
await connect()
const client = await connect()
console.log(JSON.stringify(await client.callTool({ name: tool, arguments: {} })))
await client.close()
server.close()
server.closeAllConnections()
