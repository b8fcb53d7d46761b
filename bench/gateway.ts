/** The gateway as anyone would run it: authentication, authorization, header checks, metrics and audit all on. */
import { execFile } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { remember, start, temporaryDirectory } from './processes.ts'

const command = fileURLToPath(new URL('../bin/gatehouse.mjs', import.meta.url))
const email = 'bench@example.com'

const manifest = (upstreamPort: number) => `
users:
  - email: ${email}
    role: member
groups:
  - name: bench
    access:
      - subject: user:${email}
servers:
  - group: bench
    name: stub
    description: The stub of the bench
    transport: { kind: streamable-http, url: "http://127.0.0.1:${upstreamPort}/mcp", allowPrivateNetwork: true }
    auth: { kind: none }
`

export type RunningGateway = { pid: number; path: string; authorization: string }

export async function startGateway(port: number, upstreamPort: number): Promise<RunningGateway> {
  const directory = temporaryDirectory()
  const env = cleanEnvironment(directory, port)
  const pid = await listen(directory, env, port)
  const file = join(directory, 'bench.yaml')
  writeFileSync(file, manifest(upstreamPort))
  await gatehouse(env, 'apply', '-f', file)
  const printed = await gatehouse(env, 'token', 'create', '--user', email, '--expires', '1d', '--json')
  const { token } = JSON.parse(printed.trim().split('\n').at(-1) ?? '') as { token: string }
  return { pid, path: '/mcp/bench/stub/server', authorization: `Bearer ${token}` }
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

async function listen(directory: string, env: NodeJS.ProcessEnv, port: number): Promise<number> {
  const logFile = join(directory, 'gateway.log')
  const log = openSync(logFile, 'a')
  const child = start(process.execPath, [command, 'start'], { env, stdio: ['ignore', log, log] })
  closeSync(log)
  for (let attempt = 0; attempt < 200 && child.exitCode === null; attempt++) {
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

async function gatehouse(env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const running = promisify(execFile)(process.execPath, [command, ...args], { env, timeout: 20_000 })
  remember(running.child)
  return (await running).stdout
}
