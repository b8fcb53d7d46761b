import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../../../test/fixtures/process.ts'
import { sealedColumns } from './sealed-columns.ts'

/** Every file that seals something to be kept, with where it stands then. */
const sealing: Readonly<Record<string, readonly string[]>> = {
  'src/identity/flows.ts': ['flows.sealed'],
  'src/identity/oauth/artifacts.ts': ['oauth_artifacts.answer_sealed', 'oauth_artifacts.payload'],
  'src/identity/oauth/clients.ts': ['oauth_clients.secret_sealed'],
  'src/identity/oauth/company-clients.ts': ['oauth_clients.secret_sealed'],
  'src/identity/oauth/keys.ts': ['oauth_keys.sealed'],
  'src/identity/provider-tokens/kept.ts': ['provider_tokens.sealed'],
  'src/identity/providers/stored.ts': ['identity_providers.client_secret_json'],
  'src/identity/sessions.ts': ['browser_sessions.id_token_sealed'],
  'src/vault/connect/connect.ts': ['upstream_credentials.sealed'],
  'src/vault/credentials/obtain.ts': ['upstream_credentials.sealed'],
  'src/vault/credentials/renew.ts': ['upstream_credentials.sealed'],
  'src/vault/oauth/registrations.ts': ['upstream_clients.sealed'],
  'src/vault/on-behalf/open.ts': ['upstream_credentials.sealed'],
  'src/vault/sealing.ts': ['servers.auth_json', 'servers.transport_json'],
}
/** What seals for others. */
const tools = ['src/vault/seal-value.ts', 'src/vault/vault.ts']

it('names every column in which something sealed is kept, and no other', () => {
  const seals = /\b(?:seals|sealer)\.seal\(|(?<!function )\bseal(?:Value|Secret)\(/
  const found = globSync('src/**/*.ts', { cwd: ROOT })
    .filter(path => !path.endsWith('.test.ts') && !tools.includes(path))
    .filter(path => seals.test(readFileSync(join(ROOT, path), 'utf8')))
  // Whoever begins to seal says here where it is kept, and names the column in the room's list.
  expect(found.sort()).toEqual(Object.keys(sealing))
  const named = sealedColumns.map(({ table, column }) => `${table}.${column}`)
  expect(named.sort()).toEqual([...new Set(Object.values(sealing).flat())].sort())
})
