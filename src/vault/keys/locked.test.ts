import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { apiOf, tokenFor } from '../../../test/fixtures/api.ts'
import { directories } from '../../../test/fixtures/databases.ts'
import { type EchoServer, startEcho } from '../../../test/fixtures/echo-http.ts'
import { type GatewayInside, openGatewayInside } from '../../../test/fixtures/gateway-inside.ts'
import { call } from '../../../test/fixtures/http-call.ts'
import { inEra } from '../../../test/fixtures/mcp-call.ts'
import { startTransit, type Transit } from '../../../test/fixtures/transit.ts'

let transit: Transit
let echo: EchoServer
beforeAll(async () => {
  ;[transit, echo] = await Promise.all([startTransit(), startEcho()])
})
afterAll(async () => {
  await transit?.stop()
  await echo?.stop()
})
const newDirectory = directories()

it('T146: without its key, what needs a secret answers 503, everything else goes on, and all is well by itself after its return', async () => {
  const dataDir = newDirectory()
  const tokenFile = join(dataDir, 'vault-token')
  writeFileSync(tokenFile, `${transit.token}\n`)
  const { main } = transit.configured('main')
  const keys = { main: { ...Object(main), tokenFile } }
  const environment = { GATEHOUSE_VAULT_KEY: 'main', GATEHOUSE_VAULT_KEYS: JSON.stringify(keys) }
  let gateway: GatewayInside = await openGatewayInside({ environment, dataDir })
  const { operator } = gateway
  await operator('POST /users', { email: 'ana@example.com' })
  await operator('POST /groups', { name: 'lab' })
  await operator('POST /groups/lab/grants', { subject: 'everyone' })
  const server = { group: 'lab', transport: echo.transport }
  await operator('POST /servers', { ...server, name: 'open' })
  const auth = { kind: 'headers', headers: { 'X-Key': 'secret-of-the-server' } }
  await operator('POST /servers', { ...server, name: 'keyed', auth })
  const { token } = await tokenFor(operator, 'user:ana@example.com')
  await gateway.stop()

  await transit.seal()
  gateway = await openGatewayInside({ environment, dataDir })
  const said = (name: string) => {
    const asked = inEra('stateless', { id: 1, method: 'tools/call', params: { name: 'echo', arguments: {} } })
    return call(`${gateway.url}/mcp/lab/${name}/server`, { ...asked, token })
  }
  const locked = await said('keyed')
  expect([locked.status, JSON.parse(locked.text).error.data.code]).toEqual([503, 'vault.locked'])
  expect((await said('open')).status).toBe(200)
  expect((await call(`${gateway.url}/readyz`)).status).toBe(200)
  const api = apiOf(gateway.url, token)
  await expect(api('GET /me')).resolves.toMatchObject({ name: 'ana@example.com' })
  await expect(gateway.operator('GET /vault/keys')).resolves.toMatchObject({
    locked: expect.stringContaining('503'),
  })
  // Nothing is stored that could not be sealed.
  await expect(gateway.operator('POST /servers', { ...server, name: 'more', auth })).rejects.toThrow(
    'vault.locked',
  )

  await transit.unseal()
  await vi.waitFor(async () => expect((await said('keyed')).status).toBe(200))
  await gateway.stop()
})
