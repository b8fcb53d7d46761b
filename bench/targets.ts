/** What is measured: the stub itself, two yardsticks in front of it, and the gateway in front of it. */

import { deepStrictEqual } from 'node:assert'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Address, firstId, headersOf, messageOf, results, type Shape } from './calls.ts'
import { startGateway } from './gateway.ts'
import { startNginx } from './nginx.ts'
import { nextMessage, startOwn } from './processes.ts'

export const targetNames = ['direct', 'nginx', 'bare', 'gateway'] as const
export type TargetName = (typeof targetNames)[number]
export type Target = { name: TargetName; pid: number; address: Address }

// Without a gateway the others still get the same bytes.
const gatewayPath = '/mcp/bench/stub/server'
const placeholder = `Bearer gth_pat_${'0'.repeat(48)}`

export async function startTargets(withGateway: boolean): Promise<Target[]> {
  const stub = await startListening('./stub.ts')
  const bare = await startListening('./pass-through.ts', String(stub.port))
  const nginxPort = await freePort()
  const nginx = { port: nginxPort, pid: startNginx(nginxPort, stub.port) }
  const gatewayPort = await freePort()
  const gateway = withGateway ? await startGateway(gatewayPort, stub.port) : undefined
  const { path, authorization } = gateway ?? { path: gatewayPath, authorization: placeholder }
  const target = (name: TargetName, of: { port: number; pid: number }): Target => ({
    name,
    pid: of.pid,
    address: { port: of.port, path, authorization },
  })
  return [
    target('direct', stub),
    target('nginx', nginx),
    target('bare', bare),
    ...(gateway ? [target('gateway', { port: gatewayPort, pid: gateway.pid })] : []),
  ]
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

/** One call, compared field by field with what the stub answers. Right after its start a target may need a moment. */
export async function proveRight(target: Target, shape: Shape): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      deepStrictEqual(await callOnce(target.address, shape), {
        jsonrpc: '2.0',
        id: firstId,
        result: results[shape],
      })
      return
    } catch (error) {
      if (attempt === 30) throw new Error(`${target.name} does not answer ${shape} rightly: ${error}`)
      await sleep(100)
    }
  }
}

async function callOnce({ port, path, authorization }: Address, shape: Shape): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { ...headersOf('tools/call', shape), authorization },
    body: messageOf(shape, firstId),
  })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${response.status} ${text.slice(0, 500)}`)
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream')
  return JSON.parse(isStream ? (/^data: ?(.*)$/m.exec(text)?.[1] ?? '') : text)
}
