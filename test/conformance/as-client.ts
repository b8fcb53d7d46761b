/**
 * The gateway as OAuth client. Each scenario of the runner is a server that wants tokens: it is registered, somebody calls its tool, follows the link
 * that the call ends with, and calls again, as often as a person would.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { tokenFor } from '../fixtures/api.ts'
import { type GatewayInside, openGatewayInside } from '../fixtures/gateway-inside.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, type Era, inEra, openSession } from '../fixtures/mcp-call.ts'
import { type Browser, signedInBrowser } from '../fixtures/oauth-browser.ts'

export type AsClient = {
  /** What the runner starts as client, but for the URL of the server. */
  readonly command: string
  stop(): Promise<void>
}

/** Where a call must end without a result: the authorization server, or what it sends back, is not to be trusted, or asks for more without end. */
export const refusing: readonly string[] = [
  'auth/scope-retry-limit',
  'auth/resource-mismatch',
  'auth/iss-supported-missing',
  'auth/iss-wrong-issuer',
  'auth/iss-unexpected',
  'auth/iss-normalized',
  'auth/metadata-issuer-mismatch',
]

type Scenario = {
  readonly name: string
  readonly era: Era
  readonly url: string
  readonly context: z.infer<typeof contextSchema>
}

/** What was agreed on beforehand with the authorization server of a scenario. */
const contextSchema = z.looseObject({
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
  private_key_pem: z.string().optional(),
})

type Person = { readonly gateway: GatewayInside; readonly token: string; readonly browser: Browser }

const COMMAND = new URL('client-command.sh', import.meta.url).pathname
const EMAIL = 'ana@example.com'

export async function startAsClient(): Promise<AsClient> {
  const gateway = await openGatewayInside()
  const { operator } = gateway
  await operator('POST /users', { email: EMAIL })
  await operator('POST /groups', { name: 'lab' })
  await operator('POST /groups/lab/grants', { subject: `user:${EMAIL}` })
  const { token } = await tokenFor(operator, `user:${EMAIL}`)
  const browser = await signedInBrowser(gateway, EMAIL)
  const folder = mkdtempSync(join(tmpdir(), 'conformance-client-'))
  const asked = openAsked(folder, scenario => play({ gateway, token, browser }, scenario))
  return {
    command: `${COMMAND} ${folder}`,
    async stop() {
      asked.close()
      rmSync(folder, { recursive: true, force: true })
      await gateway.stop()
    },
  }
}

/** Plays what is asked for in the folder, one after the other: it is one person with one browser. */
function openAsked(folder: string, act: (scenario: Scenario) => Promise<boolean>): { close(): void } {
  const seen = new Set<string>()
  let last = Promise.resolve()
  const look = () => {
    for (const name of readdirSync(folder).filter(each => each.endsWith('.asked') && !seen.has(each))) {
      seen.add(name)
      last = last.then(async () => {
        const isGood = await act(read(join(folder, name))).catch((error: unknown) => {
          process.stderr.write(`${String(error)}\n`)
          return false
        })
        tell(join(folder, name.replace('.asked', '.answer')), isGood ? '0' : '1')
      })
    }
  }
  const watching = watch(folder, look)
  return {
    close() {
      watching.close()
      // Whoever still waits, waits in vain.
      for (const name of readdirSync(folder).filter(each => each.endsWith('.answer')))
        tell(join(folder, name), '1')
    },
  }
}

/** Into the pipe of a client. Open both ways it blocks for nobody who has gone. */
function tell(pipe: string, code: string): void {
  if (existsSync(pipe)) writeFileSync(pipe, `${code}\n`, { flag: 'r+' })
}

function read(file: string): Scenario {
  const [name = '', revision, url = '', context = ''] = readFileSync(file, 'utf8').split('\n')
  return {
    name,
    era: revision === '2026-07-28' ? 'stateless' : 'session',
    url,
    context: contextSchema.parse(JSON.parse(context === '' ? '{}' : context)),
  }
}

let servers = 0

async function play({ gateway, token, browser }: Person, scenario: Scenario): Promise<boolean> {
  const server = `s${++servers}`
  await gateway.operator('POST /servers', {
    group: 'lab',
    name: server,
    transport: { kind: 'streamable-http', url: scenario.url, allowPrivateNetwork: true },
    auth: authOf(scenario),
  })
  const url = `${gateway.url}/mcp/lab/${server}/server`
  const session = scenario.era === 'session' ? await openSession(url, token) : undefined
  const params = { name: 'test-tool', arguments: {} }
  // Whoever is led to the same page again and again gives up.
  for (let id = 1; id <= 4; id++) {
    const asked = inEra(scenario.era, { id, method: 'tools/call', params, session })
    const answered = await call(url, { ...asked, token })
    const link = /http:\/\/[^\s"]*\/connect\/[^\s"]*/.exec(answered.text)?.[0].replace(/[.,]$/, '')
    if (link === undefined) return isResult(answerOf(answered))
    await follow(browser, link)
  }
  return false
}

function isResult({ result }: ReturnType<typeof answerOf>): boolean {
  return result !== undefined && result.isError !== true
}

/** What whoever registers the server says about it. */
function authOf({ name, context }: Scenario): Record<string, unknown> {
  const { client_id: clientId, client_secret: clientSecret, private_key_pem: privateKey } = context
  const known = { ...(clientId && { clientId }), ...(clientSecret && { clientSecret }) }
  if (name.startsWith('auth/client-credentials'))
    return { kind: 'client-credentials', ...known, ...(privateKey && { privateKey }) }
  // The suite has one address for the document of whatever client, so it is that of a document which is published elsewhere.
  if (name === 'auth/basic-cimd')
    return { kind: 'oauth2', clientId: 'https://conformance-test.local/client-metadata.json' }
  return { kind: 'oauth2', ...known }
}

/** The way of a browser: the page of the gateway, on to the authorization server, and back. */
async function follow(browser: Browser, link: string): Promise<void> {
  const page = await browser.go(link)
  if (page.status !== 200) return
  const onward = await browser.submit(page, {})
  const to = /<meta http-equiv="refresh" content="0; url=([^"]+)"/.exec(onward.text)?.[1]
  if (to === undefined) return
  const answer = await fetch(to.replaceAll('&amp;', '&'), { redirect: 'manual' })
  await browser.go(answer.headers.get('location') ?? link)
}
