/** What the bench needs of an identity provider: keys at an address, and a token signed with one of them. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { RunningGateway } from './gateway.ts'

const issuer = 'https://identity.bench.example'
const audience = 'api://bench'
const kid = 'bench'
const hoursSeconds = 8 * 3600

/** Has the gateway take tokens of an issuer of its own; gives the header with one, for the same person as the personal access token. */
export async function jwtFor(gateway: RunningGateway, email: string): Promise<string> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const keys = [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }]
  const server = createServer((_, response) => response.end(JSON.stringify({ keys }))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  await gateway.api('POST /identity-providers', {
    name: 'bench',
    issuer,
    use: { bearer: ['mcp'] },
    audiences: [audience],
    domains: [email.slice(email.indexOf('@') + 1)],
    allowPrivateNetwork: true,
    endpoints: { jwksUri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` },
  })
  const iat = Math.floor(Date.now() / 1000)
  const claims = { iss: issuer, sub: 'bench', aud: audience, iat, exp: iat + hoursSeconds, jti: 'bench' }
  const content = [
    { alg: 'RS256', typ: 'at+jwt', kid },
    { ...claims, email, email_verified: true },
  ]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `Bearer ${content}.${sign('sha256', Buffer.from(content), privateKey).toString('base64url')}`
}
