/** Real clients come in with nothing but the URL: each registers, opens a browser, and calls a tool as the person who allowed it. */
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Client,
  type OAuthClientProvider,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import { type OpenBrowser, openBrowser } from '../fixtures/browser.ts'
import { type Gateway, oneGroup, startGateway, USER } from '../fixtures/gateway.ts'
import { openOpencode } from '../fixtures/opencode.ts'
import { fastmcp, peers } from '../fixtures/peers.ts'
import { allow, signedInAt } from '../fixtures/people.ts'
import { environment, freePort, ROOT, run, start } from '../fixtures/process.ts'
import { textOf } from '../fixtures/sdk-client.ts'
import { type Served, startConformanceServer } from '../fixtures/servers.ts'

const INSTALLING_MS = 10 * 60_000
const TOOL = 'test_simple_text'
const SAID = 'This is a simple text response for testing.'

let browser: OpenBrowser
let gateway: Gateway
let served: Served
let ana: Page
let url: string
const folder = mkdtempSync(join(tmpdir(), 'oauth-login-'))

beforeAll(async () => {
  ;[browser, served] = await Promise.all([openBrowser(), startConformanceServer()])
  gateway = await startGateway({ manifest: oneGroup('lab', { conformance: served.transport }) })
  ana = (await signedInAt(browser, gateway, USER)).page
  url = `${gateway.url}/mcp/lab/conformance/server`
}, INSTALLING_MS)

afterAll(async () => {
  await browser?.close()
  await gateway?.stop()
  await served?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** The last exchanges of the audit, newest first. */
async function audited(action: string): Promise<unknown[]> {
  const { items } = JSON.parse(await gateway.cli('audit', '--action', action, '--limit', '5', '--json'))
  return items
}

/** A client's memory, and the browser it sends its person to. */
function memory(redirectUrl: string): OAuthClientProvider & { asked: URL | undefined } {
  let information: StoredOAuthClientInformation | undefined
  let tokens: StoredOAuthTokens | undefined
  let verifier = ''
  return {
    asked: undefined,
    redirectUrl,
    clientMetadata: {
      client_name: 'SDK v2',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => information,
    saveClientInformation(given) {
      information = given
    },
    tokens: () => tokens,
    saveTokens(given) {
      tokens = given
    },
    redirectToAuthorization(to) {
      this.asked = to
    },
    saveCodeVerifier(given) {
      verifier = given
    },
    codeVerifier: () => verifier,
  }
}

/** Where a client waits for the browser to come back: somebody answers there, so the page has arrived when the next one is asked for. */
async function listens() {
  const callback = createServer((_, response) => response.end('Back.'))
  callback.listen(0, '127.0.0.1')
  await once(callback, 'listening')
  return { callback, redirect: `http://127.0.0.1:${(callback.address() as AddressInfo).port}/callback` }
}

it.each(['legacy', 'auto'] as const)('SDK v2 in %s mode', async mode => {
  const { redirect, callback } = await listens()
  const authProvider = memory(redirect)
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider })
  const client = new Client({ name: 'login', version: '1.0.0' }, { versionNegotiation: { mode } })
  await expect(client.connect(transport)).rejects.toThrow(UnauthorizedError)
  await allow(ana, String(authProvider.asked))
  const back = new URL(ana.url())
  expect(back.searchParams.get('iss')).toBe(gateway.url)
  await transport.finishAuth(back.searchParams)
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider }))
  expect(textOf(await client.callTool({ name: TOOL, arguments: {} }))).toBe(SAID)
  expect((await audited('tools/call'))[0]).toMatchObject({ who: { name: USER } })
  await client.close()
  callback.close()
})

it('the SDK of 2025-03-26, which knows one authorization for everything at an origin', async () => {
  await peers()
  const running = start({ args: ['test/peers/old-sdk-login.mjs', url, TOOL] })
  const line = await running.line(`${gateway.url}/oauth/authorize?`)
  const asked = new URL(line.slice(line.indexOf('http')).trim())
  expect(asked.searchParams.get('resource')).toBeNull()
  await allow(ana, asked.href)
  expect(await running.ended, running.output()).toBe(0)
  expect(running.output()).toContain(SAID)
})

it('what a client was allowed is at the account of its person, and ends there', async () => {
  const { redirect, callback } = await listens()
  const authProvider = memory(redirect)
  const connect = async () => {
    const client = new Client({ name: 'login', version: '1.0.0' })
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider }))
    return client
  }
  await expect(connect()).rejects.toThrow(UnauthorizedError)
  await allow(ana, String(authProvider.asked))
  const back = new URL(ana.url())
  await new StreamableHTTPClientTransport(new URL(url), { authProvider }).finishAuth(back.searchParams)
  await (await connect()).close()
  await ana.goto(`${gateway.url}/account`)
  const mine = ana.locator('section', { hasText: 'Applications that act for you' }).locator('li')
  const before = await mine.count()
  await mine.filter({ hasText: 'SDK v2' }).first().getByRole('button').click()
  await expect.poll(() => mine.count()).toBe(before - 1)
  // Its access token is dead, and so is what it would refresh with.
  await expect(connect()).rejects.toMatchObject({ code: 'invalid_grant' })
  callback.close()
})

it('mcp-remote', async () => {
  const { mcpRemote } = await peers()
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [mcpRemote, url, String(await freePort()), '--allow-http', '--host', '127.0.0.1'],
    env: environment({ MCP_REMOTE_CONFIG_DIR: join(folder, 'mcp-remote') }),
    stderr: 'pipe',
  })
  let said = ''
  transport.stderr?.on('data', part => {
    said += String(part)
  })
  const client = new Client({ name: 'bridged', version: '1.0.0' })
  const connected = client.connect(transport)
  await allow(ana, await found(() => /visiting:\s+(http\S+)/.exec(said)?.[1]))
  await connected
  expect(textOf(await client.callTool({ name: TOOL, arguments: {} }))).toBe(SAID)
  await client.close()
})

it(
  'FastMCP with auth="oauth"',
  async () => {
    const python = await fastmcp()
    const opened = join(folder, 'fastmcp-opened')
    const running = run({
      command: python,
      args: ['test/peers/fastmcp_login.py', url, TOOL, '{}'],
      env: {
        OPENED: opened,
        BROWSER: `${join(ROOT, 'test', 'fixtures', 'browser-stub.sh')} %s`,
        HOME: folder,
      },
    })
    const authorization = found(() =>
      existsSync(opened) ? readFileSync(opened, 'utf8').split('\n')[0] : undefined,
    )
    await allow(ana, await Promise.race([authorization, running]))
    const answer = z
      .object({ tools: z.array(z.string()), texts: z.array(z.string()) })
      .parse(JSON.parse(await running))
    expect(answer.tools).toContain(TOOL)
    expect(answer.texts).toEqual([SAID])
  },
  INSTALLING_MS,
)

it('the Inspector', async () => {
  const { inspector } = await peers()
  const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`
  const asked = ['--cli', url, '--transport', 'http', '--method', 'tools/call', '--tool-name', TOOL]
  const running = start({
    args: [inspector, ...asked, '--callback-url', callback],
    env: {
      HOME: folder,
      MCP_AUTO_OPEN_ENABLED: 'true',
      BROWSER: join(ROOT, 'test', 'fixtures', 'browser-stub.sh'),
      OPENED: join(folder, 'inspector-opened'),
    },
  })
  const line = await running.line(`navigate to: ${gateway.url}/oauth/authorize?`)
  await allow(ana, line.slice(line.indexOf('http')).trim())
  expect(await running.ended, running.output()).toBe(0)
  expect(running.output()).toContain(SAID)
})

it(
  'opencode, a coding agent',
  async () => {
    const opencode = await openOpencode(join(folder, 'opencode'), url)
    const login = opencode('mcp', 'auth', 'lab')
    const line = await login.line(`${gateway.url}/oauth/authorize?`)
    await allow(ana, line.slice(line.indexOf('http')).trim())
    expect(await login.ended, login.output()).toBe(0)
    const listing = opencode('mcp', 'list')
    expect(await listing.ended, listing.output()).toBe(0)
    expect(listing.output()).toMatch(/✓ lab .*connected/)
    const [listed] = await audited('tools/list')
    expect(listed).toMatchObject({
      outcome: 'ok',
      who: { name: USER, client: expect.stringMatching(/opencode/i) },
    })
  },
  INSTALLING_MS,
)

it('the conformance suite of authorization servers', async () => {
  const { conformance } = await peers()
  const port = await freePort()
  const redirect = `http://127.0.0.1:${port}/callback`
  const registered = await fetch(`${gateway.url}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Conformance',
      redirect_uris: [redirect],
      token_endpoint_auth_method: 'none',
    }),
  })
  const { client_id } = z.object({ client_id: z.string() }).parse(await registered.json())
  const args = ['authorization', '--url', gateway.url, '--client-id', client_id, '--resource', url]
  const suite = start({ args: [conformance, ...args, '--port', String(port)] })
  await allow(ana, (await suite.line(`${gateway.url}/oauth/authorize?`)).trim())
  expect(await suite.ended, suite.output()).toBe(0)
  expect(suite.output()).toMatch(/authorization-server-metadata-endpoint/)
  expect(suite.output()).not.toMatch(/SKIPPED|WARNING|FAILURE/)
})

async function found(look: () => string | undefined): Promise<string> {
  const deadline = Date.now() + 60_000
  while (Date.now() < deadline) {
    const answer = look()
    if (answer !== undefined && answer !== '') return answer
    await sleep(50)
  }
  throw new Error('nobody opened a browser')
}
