/** The gateway as anyone would run it: authentication, authorization, header checks, metrics and audit all on. */
import { execFile } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { remember, start, temporaryDirectory } from './processes.ts'

const here = fileURLToPath(new URL('..', import.meta.url))
/** Who calls. */
export const email = 'bench@example.com'
const adminEmail = 'root@example.com'

/** The servers behind it: their names, and the ports of their stubs, or their whole URLs. */
export type Servers = Readonly<Record<string, number | string>>

const urlOf = (at: number | string) => (typeof at === 'string' ? at : `http://127.0.0.1:${at}/mcp`)

const serverOf = (name: string, at: number | string) => `
  - group: bench
    name: ${name}
    description: A stub of the bench
    transport: { kind: streamable-http, url: "${urlOf(at)}", allowPrivateNetwork: true }
    auth: { kind: none }`

const manifest = (servers: Servers) => `
users:
  - email: ${email}
    role: member
  - email: ${adminEmail}
    role: admin
groups:
  - name: bench
    access:
      - subject: user:${email}
servers:${Object.entries(servers)
  .map(([name, at]) => serverOf(name, at))
  .join('')}
`

export type RunningGateway = {
  pid: number
  port: number
  authorization: string
  dataDir: string
  /** Asks the management API as an admin: `PUT /virtual-servers/...`. */
  api(line: string, body?: unknown): Promise<void>
}

export type GatewayOptions = {
  readonly port: number
  readonly servers: Servers
  /** The checkout it runs from; this one, when absent. */
  readonly checkout?: string | undefined
  readonly settings?: Readonly<Record<string, string>>
}

/** Where a server of the gateway is. */
export const pathTo = (server: string): string => `/mcp/bench/${server}/server`

export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { port, servers, checkout = here, settings = {} } = options
  const directory = temporaryDirectory()
  const env = { ...cleanEnvironment(directory, port), ...settings }
  const command = join(checkout, 'bin', 'gatehouse.mjs')
  const gatehouse = (...args: string[]) => run(env, command, ...args)
  const pid = await listen(directory, { env, command }, port)
  const file = join(directory, 'bench.yaml')
  writeFileSync(file, manifest(servers))
  await gatehouse('apply', '-f', file)
  const bearer = async (user: string) => {
    const printed = await gatehouse('token', 'create', '--user', user, '--expires', '1d', '--json')
    const { token } = JSON.parse(printed.trim().split('\n').at(-1) ?? '') as { token: string }
    return `Bearer ${token}`
  }
  let admin: Promise<string> | undefined
  return {
    pid,
    port,
    authorization: await bearer(email),
    dataDir: join(directory, 'data'),
    async api(line, body) {
      admin ??= bearer(adminEmail)
      await ask(`http://127.0.0.1:${port}/api/v1`, line, { authorization: await admin, body })
    },
  }
}

async function ask(
  url: string,
  line: string,
  { authorization, body }: { authorization: string; body: unknown },
): Promise<void> {
  const [method = '', path] = line.split(' ')
  const headers = { authorization, 'content-type': 'application/json' }
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const response = await fetch(`${url}${path}`, { method, headers, ...sent })
  const text = await response.text()
  if (!response.ok) throw new Error(`${line}: ${response.status} ${text.slice(0, 300)}`)
}

/** The defaults, whatever the shell of whoever runs the bench is set to. */
function cleanEnvironment(directory: string, port: number): NodeJS.ProcessEnv {
  const isOurs = (name: string) => /^(GATEHOUSE_|DATABASE_URL$|REDIS_URL$|NODE_OPTIONS$)/.test(name)
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOurs(name))),
    GATEHOUSE_DATA_DIR: join(directory, 'data'),
    GATEHOUSE_PORT: String(port),
    GATEHOUSE_HOST: '127.0.0.1',
  }
}

type Program = { env: NodeJS.ProcessEnv; command: string }

async function listen(directory: string, { env, command }: Program, port: number): Promise<number> {
  const logFile = join(directory, 'gateway.log')
  const log = openSync(logFile, 'a')
  const child = start(process.execPath, [command, 'start'], { env, stdio: ['ignore', log, log] })
  closeSync(log)
  for (let attempt = 0; attempt < 1200 && child.exitCode === null; attempt++) {
    if (child.pid !== undefined && (await isHealthy(port))) return child.pid
    await sleep(50)
  }
  const said = readFileSync(logFile, 'utf8').split('\n').slice(-20).join('\n')
  throw new Error(`the gateway did not start (exit ${child.exitCode}); it said:\n${said}`)
}

const isHealthy = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/healthz`).then(
    response => response.ok,
    () => false,
  )

async function run(env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const running = promisify(execFile)(process.execPath, args, { env, timeout: 60_000 })
  remember(running.child)
  return (await running).stdout
}
