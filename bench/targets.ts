/** What is measured: the stub itself, two yardsticks in front of it, and the gateway in front of it, in each of its cells. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { accountServers, registerAccounts } from './accounts.ts'
import { type Address, sessionHeaders, sessionProtocolVersion, shapes } from './calls.ts'
import { email, type GatewayOptions, pathTo, type RunningGateway, startGateway } from './gateway.ts'
import { jwtFor } from './identity-provider.ts'
import { startNginx } from './nginx.ts'
import type { Options } from './options.ts'
import { nextMessage, startOwn } from './processes.ts'

export const targetNames = [
  'direct',
  'nginx',
  'bare',
  'before',
  'gateway',
  'session',
  'stateless-over-session',
  'session-over-stateless',
  'virtual',
  'virtual-changed',
  'jwt',
  'headers',
  'accounts',
  'memory',
  'everything',
] as const
export type TargetName = (typeof targetNames)[number]
export type Target = { name: TargetName; pid: number; address: Address }

/** The cells besides the stateless one, which is `gateway`: who calls, and what the stub behind speaks. */
const cells = [
  { name: 'session', server: 'session', hasSession: true },
  { name: 'stateless-over-session', server: 'session', hasSession: false },
  { name: 'session-over-stateless', server: 'stateless', hasSession: true },
] as const

// Without a gateway the others still get the same bytes.
const placeholder = `Bearer gth_pat_${'0'.repeat(48)}`

type Asked = Pick<Options, 'withGateway' | 'cells' | 'composed' | 'jwt' | 'accounts' | 'against'> &
  Pick<GatewayOptions, 'settings'>

export async function startTargets(asked: Asked): Promise<Target[]> {
  const { withGateway, cells: withCells, composed, jwt, accounts, against, settings = {} } = asked
  const stub = await startListening('./stub.ts')
  const bare = await startListening('./pass-through.ts', String(stub.port))
  const nginxPort = await freePort()
  const nginx = { port: nginxPort, pid: startNginx(nginxPort, stub.port) }
  const gateway = withGateway ? await startMeasured(stub.port, { withCells, settings }) : undefined
  const before = against === undefined ? undefined : await startBefore(stub.port, against)
  const target = (name: TargetName, { pid, port }: { port: number; pid: number }): Target => ({
    name,
    pid,
    address: { port, path: pathTo('stub'), authorization: gateway?.authorization ?? placeholder },
  })
  return [
    target('direct', stub),
    target('nginx', nginx),
    target('bare', bare),
    ...(before ? [{ ...target('before', before), address: addressOf(before, 'stub') }] : []),
    ...(gateway ? [target('gateway', gateway)] : []),
    ...(gateway && withCells ? await cellsOf(gateway) : []),
    ...(gateway && composed ? await virtualsOf(gateway) : []),
    ...(gateway && jwt ? [await jwtOf(gateway)] : []),
    ...(gateway && accounts ? await accountsOf(gateway, stub.port) : []),
  ]
}

async function startMeasured(
  stub: number,
  { withCells, settings }: { withCells: boolean; settings: Readonly<Record<string, string>> },
): Promise<RunningGateway> {
  const servers = withCells ? await startCellStubs() : {}
  return startGateway({ port: await freePort(), servers: { stub, ...servers }, settings })
}

const startBefore = async (stub: number, checkout: string): Promise<RunningGateway> =>
  startGateway({ port: await freePort(), servers: { stub }, checkout })

/** Stubs that speak one era alone. */
export async function startCellStubs() {
  const session = await startListening('./stub.ts', 'session')
  const stateless = await startListening('./stub.ts', 'stateless')
  return { session: session.port, stateless: stateless.port }
}

export const addressOf = ({ port, authorization }: RunningGateway, server: string): Address => ({
  port,
  path: pathTo(server),
  authorization,
})

async function cellsOf(gateway: RunningGateway): Promise<Target[]> {
  const targets = cells.map(async ({ name, server, hasSession }) => {
    const address = addressOf(gateway, server)
    const own = hasSession ? { ...address, session: await openSession(address) } : address
    return { name, pid: gateway.pid, address: own }
  })
  return Promise.all(targets)
}

/** The same calls of the same person, with a JWT of an identity provider in place of the personal access token. */
async function jwtOf(gateway: RunningGateway): Promise<Target> {
  const authorization = await jwtFor(gateway, email)
  return { name: 'jwt', pid: gateway.pid, address: { ...addressOf(gateway, 'stub'), authorization } }
}

/** The same stub as servers of other kinds: one that wants a key, and one that wants an account of each caller. */
async function accountsOf(gateway: RunningGateway, stub: number): Promise<Target[]> {
  await registerAccounts(gateway, stub)
  return accountServers.map(name => ({ name, pid: gateway.pid, address: addressOf(gateway, name) }))
}

/** A virtual server of the stub and its tools: as they are, and one renamed with an argument that is set here. */
async function virtualsOf(gateway: RunningGateway): Promise<Target[]> {
  const changed = {
    name: 'small',
    as: 'little',
    arguments: { query: { value: 'open invoices', hidden: false } },
  }
  await gateway.api('POST /servers/bench/stub/test')
  const servers = { virtual: [...shapes], changed: [changed] }
  for (const [name, tools] of Object.entries(servers)) {
    await gateway.api(`PUT /virtual-servers/bench/${name}/draft`, {
      sources: [{ server: 'bench/stub', tools }],
    })
    await gateway.api(`POST /virtual-servers/bench/${name}/publish`)
  }
  const { pid } = gateway
  return [
    { name: 'virtual', pid, address: addressOf(gateway, 'virtual') },
    { name: 'virtual-changed', pid, address: { ...addressOf(gateway, 'changed'), tool: 'little' } },
  ]
}

/** Opens a session as a client of the session era does; gives its id. */
export async function openSession({ port, path, authorization }: Address): Promise<string> {
  const url = `http://127.0.0.1:${port}${path}`
  const hello = {
    protocolVersion: sessionProtocolVersion,
    capabilities: {},
    clientInfo: { name: 'bench', version: '1' },
  }
  const post = (session: string, message: object) => {
    const { 'Mcp-Session-Id': id, ...rest } = sessionHeaders(session)
    const headers = { authorization, ...rest, ...(session === '' ? {} : { 'Mcp-Session-Id': String(id) }) }
    return fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) })
  }
  const opened = await post('', { id: 1, method: 'initialize', params: hello })
  const answer = await opened.text()
  const session = opened.headers.get('mcp-session-id')
  if (session === null) throw new Error(`no session at ${path}: ${opened.status} ${answer.slice(0, 300)}`)
  await (await post(session, { method: 'notifications/initialized' })).text()
  return session
}

export async function startListening(
  file: string,
  ...args: string[]
): Promise<{ port: number; pid: number }> {
  const child = startOwn(file, args)
  const { port } = await nextMessage<{ port: number }>(child)
  if (child.pid === undefined) throw new Error(`${file} does not start`)
  return { port, pid: child.pid }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
