import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { peers } from '../fixtures/peers.ts'
import { run } from '../fixtures/process.ts'
import { type Served, startConformanceServer, startEverything } from '../fixtures/servers.ts'

const INSTALLING_MS = 10 * 60_000

let gateway: Gateway
let served: Served[]
const home = mkdtempSync(join(tmpdir(), 'inspector-'))

beforeAll(async () => {
  await peers()
  const [everything, conformance] = await Promise.all([
    startEverything('streamable-http'),
    startConformanceServer(),
  ])
  served = [everything, conformance]
  gateway = await startGateway({
    manifest: oneGroup('lab', { everything: everything.transport, conformance: conformance.transport }),
  })
}, INSTALLING_MS)

afterAll(async () => {
  await gateway?.stop()
  await Promise.all(served?.map(one => one.stop()) ?? [])
  rmSync(home, { recursive: true, force: true })
})

async function inspect(server: string, token: string, ...rest: string[]): Promise<unknown> {
  const { inspector } = await peers()
  const url = `${gateway.url}/mcp/lab/${server}/server`
  const args = ['--cli', url, '--transport', 'http', '--header', `Authorization: Bearer ${token}`, ...rest]
  return JSON.parse(await run({ args: [inspector, ...args], env: { HOME: home } }))
}

describe('the Inspector on the command line', () => {
  it.each([
    ['everything', 'echo', ['--tool-arg', 'message=inspected'], 'Echo: inspected'],
    ['conformance', 'test_simple_text', [], 'This is a simple text response for testing.'],
  ])('lists and calls the tools of %s', async (server, tool, args, text) => {
    const listed = z
      .object({ tools: z.array(z.object({ name: z.string() })) })
      .parse(await inspect(server, gateway.token, '--method', 'tools/list'))
    expect(listed.tools.map(one => one.name)).toContain(tool)
    const called = await inspect(
      server,
      gateway.token,
      '--method',
      'tools/call',
      '--tool-name',
      tool,
      ...args,
    )
    expect(called).toMatchObject({ content: [{ type: 'text', text }] })
  })

  it('is refused with a wrong token', async () => {
    await expect(inspect('everything', 'gth_pat_wrong', '--method', 'tools/list')).rejects.toThrow(
      'auth_required',
    )
  })
})
