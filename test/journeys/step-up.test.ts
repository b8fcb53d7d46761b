/** What is dangerous wants a session that is fresh; every such route is walked with one that is not. */
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openJar } from '../fixtures/cookie-jar.ts'
import { openDatabaseFile } from '../fixtures/database-file.ts'
import { launch } from '../fixtures/gateway.ts'
import { freePort } from '../fixtures/process.ts'
import { temporaryDirectory } from '../fixtures/processes.ts'

type Operation = { description: string }
type Document = { paths: Record<string, Record<string, Operation>> }

const dangerous = [
  'DELETE /api/v1/accounts/{name}',
  'DELETE /api/v1/identity-providers/{name}',
  'DELETE /api/v1/me/passkeys/{id}',
  'DELETE /api/v1/oauth-clients/{clientId}',
  'DELETE /api/v1/policies/{policy}',
  'DELETE /api/v1/users/{email}',
  'PATCH /api/v1/accounts/{name}',
  'PATCH /api/v1/identity-providers/{name}',
  'PATCH /api/v1/users/{email}',
  'POST /api/v1/accounts',
  'POST /api/v1/accounts/{name}/secrets',
  'POST /api/v1/accounts/{name}/secrets/rotate',
  'POST /api/v1/identity-providers',
  'POST /api/v1/manifest',
  'POST /api/v1/oauth-clients',
  'POST /api/v1/oauth-clients/{clientId}/secret',
  'POST /api/v1/oauth/keys/rotate',
  'POST /api/v1/tokens',
  'POST /api/v1/tokens/{id}/rotate',
  'POST /api/v1/users',
  'POST /api/v1/users/{email}/link',
  'POST /api/v1/vault/keys/rotate',
  'PUT /api/v1/accounts/{name}/credentials',
  'PUT /api/v1/oauth-clients/{clientId}',
  'PUT /api/v1/policies/{policy}',
]

it('walks every route that is dangerous', async () => {
  const dataDir = join(temporaryDirectory(), 'data')
  const gateway = launch({ dataDir, port: await freePort() })
  onTestFinished(async () => void (await gateway.process.stop()))
  await gateway.ready()
  await gateway.cli('user', 'add', 'ana@example.com', '--role', 'admin')
  const { url: link } = JSON.parse(await gateway.cli('user', 'link', 'ana@example.com', '--json'))
  const jar = openJar()
  const shown = await jar.get(link)
  const token = /name="form_token" value="([^"]+)"/.exec(shown.text)?.[1] ?? ''
  const ours = { origin: gateway.url }
  expect(await jar.get(link, { form_token: token }, ours)).toMatchObject({ status: 303 })
  const { text } = await jar.get(`${gateway.url}/api/v1/openapi.json`)
  const { paths }: Document = JSON.parse(text)
  const told = Object.entries(paths).flatMap(([path, verbs]) =>
    Object.entries(verbs)
      .filter(([, { description }]) => description.includes('within 10 minutes of signing in'))
      .map(([verb]) => `${verb.toUpperCase()} ${path}`),
  )
  expect(told.sort()).toEqual(dangerous)
  const ask = async (line: string) => {
    const [method = '', path = ''] = line.split(' ')
    const got = await jar.send(`${gateway.url}${path.replaceAll(/\{\w+\}/g, 'nobody')}`, {
      method,
      headers: ours,
    })
    return `${got.status} ${JSON.parse(got.text || '{}').code ?? ''}`
  }
  for (const line of dangerous) expect(await ask(line), line).not.toContain('step_up_required')
  const database = openDatabaseFile(dataDir)
  // Nobody waits ten minutes for a test.
  database.exec('update browser_sessions set authenticated_at = authenticated_at - 600001')
  database.close()
  for (const line of dangerous) expect(await ask(line), line).toBe('403 identity.step_up_required')
  expect(await ask('GET /api/v1/users')).toContain('200')
})
