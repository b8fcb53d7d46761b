/** Secrets stay where they belong, and move from key to key while everything goes on: one gateway, driven along every path that has some. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { apiOf, tokenFor } from '../fixtures/api.ts'
import { type Canaries, filesBelow, openCanaries } from '../fixtures/canaries.ts'
import { openDatabaseFile } from '../fixtures/database-file.ts'
import { type EchoServer, startEcho } from '../fixtures/echo-http.ts'
import { type Launched, launch } from '../fixtures/gateway.ts'
import { call } from '../fixtures/http-call.ts'
import { markAccounts, markedOfAccounts } from '../fixtures/marked-accounts.ts'
import { answerOf, inEra, textOf } from '../fixtures/mcp-call.ts'
import { signedInBrowser } from '../fixtures/oauth-browser.ts'
import { login, refresh } from '../fixtures/oauth-client.ts'
import { freePort, ROOT } from '../fixtures/process.ts'
import { type ProtectedServer, startProtectedServer } from '../fixtures/protected-server.ts'
import { startTransit, type Transit } from '../fixtures/transit.ts'

const ana = 'ana@example.com'
const links = 300

let folder: string
let port: number
let gateway: Launched
let echo: EchoServer
let transit: Transit
let there: ProtectedServer
let token: string
const canaries: Canaries = openCanaries()
/** Everything that commands and clients were shown. */
const shown: string[] = []

const place = () => ({ dataDir: join(folder, 'data'), port })
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text, { mode: 0o600 })
  return join(folder, name)
}
const reference = (name: string) => `\${file:${join(folder, name)}}`

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-secrets-'))
  port = await freePort()
  echo = await startEcho()
  transit = await startTransit()
  there = await startProtectedServer()
  gateway = launch({ ...place(), env: { GATEHOUSE_LOG_LEVEL: 'debug' } })
  await gateway.ready()
})

afterAll(async () => {
  await gateway?.process.stop()
  await echo?.stop()
  await transit?.stop()
  await there?.stop()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

async function say(
  path: string,
  how: { name?: string; token?: string; headers?: Record<string, string> } = {},
) {
  const { name = 'echo' } = how
  const asked = inEra('stateless', {
    id: 1,
    method: 'tools/call',
    params: { name, arguments: { text: 'hi' } },
  })
  const headers = { ...asked.headers, ...how.headers }
  return call(gateway.url + path, { ...asked, headers, token: how.token ?? token })
}

const see = ({ text }: { text: string }) => void shown.push(text)

it('T147, T166: marked secrets are nowhere but where they belong', { timeout: 120_000 }, async () => {
  const stdio = {
    kind: 'stdio',
    command: process.execPath,
    args: [join(ROOT, 'test/fixtures/echo-stdio.ts')],
  }
  for (const name of ['header', 'other header', 'env', 'client secret'])
    file(name.replace(' ', '-'), canaries.make(name))
  const issuer = 'https://idp.acme.example'
  const manifest = file(
    'manifest.json',
    JSON.stringify({
      users: [{ email: ana, role: 'admin' }],
      groups: [{ name: 'lab', access: [{ subject: 'everyone' }] }],
      identityProviders: [
        { name: 'acme', issuer, clientId: 'gate', clientSecret: reference('client-secret') },
      ],
      servers: [
        {
          group: 'lab',
          name: 'http',
          transport: echo.transport,
          auth: { kind: 'headers', headers: { Authorization: `Bearer ${reference('header')}` } },
        },
        {
          group: 'lab',
          name: 'gone',
          transport: { ...echo.transport, url: `http://127.0.0.1:${await freePort()}/mcp` },
          auth: { kind: 'headers', headers: { 'X-Key': reference('other-header') } },
        },
        { group: 'lab', name: 'process', transport: { ...stdio, env: { DB_PASSWORD: reference('env') } } },
        { group: 'lab', name: 'beside', transport: { ...stdio, args: [...stdio.args, 'beside'] } },
      ],
    }),
  )
  shown.push(await gateway.cli('apply', '-f', manifest))
  const first = await gateway.cli('token', 'create', '--user', ana, '--expires', '1d', '--json')
  token = canaries.watch('PAT', JSON.parse(first).token)
  const api = apiOf(gateway.url, token)
  await api('POST /accounts', { name: 'robot', owner: `user:${ana}` })
  canaries.watch('VAT', (await tokenFor(api, 'account:robot')).token)
  const client = { name: 'reports', redirectUris: ['http://127.0.0.1/back'], authentication: 'secret' }
  await api('POST /oauth-clients', client)
  const renewal = await api<{ secret: string }>('POST /oauth-clients/reports/secret', {})
  canaries.watch('OAuth client secret', renewal.secret)
  const { url: link } = await api<{ url: string }>(`POST /users/${ana}/link`, {})
  canaries.watch('link', new URL(link).searchParams.get('secret') ?? link.split('/').at(-1) ?? '')
  canaries.watch('master key', readFileSync(join(folder, 'data/keys/master.key'), 'utf8').trim())
  const browser = await signedInBrowser({ dataDir: join(folder, 'data') }, ana)
  canaries.watch('cookie', browser.cookiesFor('/').split('=')[1] ?? '')
  const { clientId, tokens, code, verifier } = await login(gateway.url, browser)
  for (const [name, secret] of Object.entries({
    'access token': tokens.access_token,
    'refresh token': tokens.refresh_token,
    code,
    verifier,
  }))
    canaries.watch(name, secret)
  const renewed = await refresh(gateway.url, { refresh_token: tokens.refresh_token, client_id: clientId })
  canaries.watch('second refresh token', renewed.body.refresh_token)

  await markAccounts({
    url: gateway.url,
    api,
    browser,
    there,
    canaries,
    async call(server) {
      const answered = await say(`/mcp/lab/${server}/server`, { name: 'whoami' })
      see(answered)
      return answered.text
    },
  })
  expect(canaries.names).toEqual(expect.arrayContaining(markedOfAccounts))

  // Calls that work, and failures of every kind.
  for (const path of [
    '/mcp/lab/http/server',
    '/mcp/lab/gone/server',
    '/mcp/lab/process/server',
    '/mcp/lab/beside/server',
  ])
    see(await say(path))
  see(await say('/mcp/lab/http/server', { token: `${token}x` }))
  see(await say('/mcp/lab/http/server', { token: canaries.make('made up token') }))
  see(await say(`/mcp/lab/http/server?access_token=${token}`, { token: '' }))
  see(await say('/mcp/lab/http/server', { name: 'nothing' }))
  see(await call(`${gateway.url}/oauth/token`, { method: 'POST', body: { code, code_verifier: verifier } }))
  see(await call(`${gateway.url}/api/v1/servers/lab/http`, { token }))
  see(await call(`${gateway.url}/metrics`, { token }))
  for (const path of [
    'servers',
    'manifest',
    'vault/keys',
    'oauth-clients',
    'tokens',
    'identity-providers',
    'connections?all=true',
    'audit?limit=500',
  ])
    see(await call(`${gateway.url}/api/v1/${path}`, { token }))
  shown.push(await gateway.cli('doctor').catch((failed: Error) => failed.message))
  for (const command of ['keys', 'connections', 'export']) shown.push(await gateway.cli(command))
  expect(canaries.in(shown.join('\n'))).toEqual([])
  expect(canaries.in(gateway.process.output())).toEqual([])
  expect(gateway.process.output().length).toBeGreaterThan(500)

  const backup = join(folder, 'backup')
  await gateway.cli('backup', backup)
  // A backup holds the master key, so that it can be restored, and nothing else that opens anything.
  expect(canaries.in(readFileSync(backup))).toEqual(['master key'])
  for (const [path, bytes] of filesBelow(join(folder, 'data'), [
    'keys/master.key',
    'gatehouse.sock',
    'gateway.lock',
  ]))
    expect(canaries.in(bytes), path).toEqual([])
  for (const { args, environment } of processes()) {
    expect(canaries.in(args)).toEqual([])
    expect(canaries.in(environment).filter(name => name !== 'env')).toEqual([])
  }
  // Only the processes of the server that it is for.
  const isHolding = ({ environment }: { environment: string }) => canaries.in(environment).includes('env')
  const [own, other] = [
    processes().filter(isHolding),
    processes().filter(({ args }) => args.includes('beside')),
  ]
  expect([own.length, other.length].map(Boolean)).toEqual([true, true])
  expect(other.filter(isHolding)).toEqual([])
  expect(canaries.names.length).toBeGreaterThanOrEqual(15)
  expect(JSON.parse(await gateway.cli('keys', 'verify', '--json'))).toMatchObject({
    unopenedCount: 0,
    strays: [],
  })
})

/** The echo servers that the gateway runs. */
function processes() {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      const read = (what: string) => {
        try {
          return readFileSync(`/proc/${pid}/${what}`, 'utf8')
        } catch {
          return ''
        }
      }
      const stat = read('stat')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      const isOurs = parent === gateway.process.pid || read('cmdline').includes(join(folder, 'data'))
      return isOurs ? [{ args: read('cmdline'), environment: read('environ') }] : []
    })
}

it('T144: a kill in the middle of moving secrets to Vault fails no call and loses no secret', {
  timeout: 90_000,
}, async () => {
  for (let made = 0; made < links; made += 50)
    await Promise.all(
      Array.from({ length: 50 }, () =>
        call(`${gateway.url}/api/v1/users/${ana}/link`, { method: 'POST', token, body: {} }),
      ),
    )
  await gateway.process.stop()
  // So slow that there is a middle to be seen from here.
  inDatabase('create trigger slow before update on flows begin select count(*) from flows a, flows b; end')
  const vault = { key: 'main', keys: transit.configured('main') }
  const env = {
    GATEHOUSE_VAULT_KEY: 'main',
    GATEHOUSE_VAULT_KEYS: JSON.stringify(vault.keys),
    VAULT_TOKEN: transit.token,
  }
  const open = async () => {
    gateway = launch({ ...place(), env })
    await gateway.ready()
  }
  await open()
  const load = openLoad()
  const keys = () => call(`${gateway.url}/api/v1/vault/keys`, { token }).then(({ text }) => JSON.parse(text))
  await call(`${gateway.url}/api/v1/vault/keys/rotate`, { method: 'POST', token, body: {} })
  await vi.waitFor(async () => expect((await keys()).rotation.moved).toBeGreaterThan(0), {
    interval: 1,
  })
  await load.stop()
  const { rotation } = await keys()
  process.kill(gateway.process.pid, 'SIGKILL')
  await gateway.process.ended
  inDatabase('drop trigger slow')
  expect(rotation.moved).toBeLessThan(rotation.total)
  await open()
  const more = openLoad()
  await vi.waitFor(async () => expect((await keys()).rotation?.state).toBe('done'), { timeout: 60_000 })
  // And once more, as people do it.
  expect(await gateway.cli('keys', 'rotate')).toContain('secrets are under the new key')
  await more.stop()
  expect([...load.failed, ...more.failed]).toEqual([])
  expect(load.calls + more.calls).toBeGreaterThan(50)
  const { items } = await keys()
  expect(items.map(({ provider, state }: Record<string, unknown>) => [provider, state]).sort()).toEqual([
    ['main', 'active'],
    ['main', 'retired'],
    ['master', 'retired'],
  ])
  expect(items.map(({ values }: Record<string, unknown>) => values).filter(Boolean)).toHaveLength(1)
  const verified = JSON.parse(await gateway.cli('keys', 'verify', '--json'))
  expect(verified).toMatchObject({ unopenedCount: 0, strays: [] })
  expect(Object.keys(verified.opened)).toHaveLength(1)
  expect(canaries.in(gateway.process.output())).toEqual([])
})

function inDatabase(statement: string): void {
  const database = openDatabaseFile(join(folder, 'data'))
  database.exec(statement)
  database.close()
}

/** Calls at about two hundred a second that need a secret, until it is stopped. */
function openLoad() {
  const failed: unknown[] = []
  let calls = 0
  let isOver = false
  const lane = async () => {
    while (!isOver) {
      const answered = await say('/mcp/lab/http/server').catch((error: unknown) => ({ error }))
      calls++
      const text = 'status' in answered && answered.status === 200 ? textOf(answerOf(answered)) : undefined
      if (text === undefined) failed.push(answered)
      await sleep(10)
    }
  }
  const lanes = [lane(), lane(), lane()]
  return {
    failed,
    get calls() {
      return calls
    },
    async stop() {
      isOver = true
      await Promise.all(lanes)
    },
  }
}
