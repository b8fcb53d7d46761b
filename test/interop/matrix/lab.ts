/** Every server of the matrix behind one gateway, and a user with a token for each client. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditEvent } from '../../../src/audit/index.ts'
import { type Gateway, oneGroup, startGateway } from '../../fixtures/gateway.ts'
import { peers } from '../../fixtures/peers.ts'
import { auditOf } from '../../fixtures/watch.ts'
import type { ClientKind, Told } from './clients/client-kind.ts'
import { type FeatureKind, trials } from './features.ts'
import { judge } from './judge.ts'
import type { ClientResult } from './results.ts'
import { servers, type Upstream } from './servers.ts'

export const GROUP = 'lab'

export type Lab = {
  /** Lets a client visit every server, and judges what it says by the audit. */
  visit(client: ClientKind): Promise<ClientResult>
  stop(): Promise<void>
}

/** Installs what is missing and starts everything. Libraries try the features as well. */
export async function openLab(
  clients: readonly ClientKind[],
  tried: readonly FeatureKind[] = trials,
): Promise<Lab> {
  await peers()
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'interop-')))
  const allowed = join(folder, 'allowed')
  mkdirSync(allowed)
  const upstreams: [string, Upstream][] = []
  // One after another: started all at once they are late on a small machine.
  for (const server of servers) upstreams.push([server.name, await server.start(allowed)])
  const gateway = await startGateway({
    manifest: manifestFor(
      clients,
      Object.fromEntries(upstreams.map(([name, { transport }]) => [name, transport])),
    ),
    user: emailOf(clients[0]),
  })
  return {
    visit: client => visit({ gateway, client, tried, home: join(folder, client.name) }),
    async stop() {
      await gateway.stop()
      await Promise.all(upstreams.map(([, upstream]) => upstream.stop()))
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

function manifestFor(clients: readonly ClientKind[], transports: Record<string, Record<string, unknown>>) {
  const users = clients.map(client => ({ email: emailOf(client), role: 'member' }))
  return { ...oneGroup(GROUP, transports), users }
}

function emailOf(client: ClientKind | undefined): string {
  return `${client?.name ?? 'nobody'}@example.com`
}

type Visit = {
  readonly gateway: Gateway
  readonly client: ClientKind
  readonly tried: readonly FeatureKind[]
  readonly home: string
}

async function visit({ gateway, client, tried, home }: Visit): Promise<ClientResult> {
  await client.install()
  mkdirSync(home)
  const created = await gateway.cli('token', 'create', '--user', emailOf(client), '--expires', '1d', '--json')
  const { token }: { token: string } = JSON.parse(created)
  const urlOf = (server: string) => `${gateway.url}/mcp/${GROUP}/${server}/server`
  const told: Told = await client.visit({
    visits: servers.map(server => ({ server, url: urlOf(server.name) })),
    trials: client.kind === 'agent' ? [] : tried.map(trial => ({ trial, url: urlOf(trial.server) })),
    token,
    home,
  })
  const events = await settled(() => auditOf({ url: gateway.url, token }))
  return { version: client.version(), date: new Date().toISOString().slice(0, 10), ...judge(told, events) }
}

/** Events reach the database a little after the answer: reads until no more come. */
async function settled(read: () => Promise<AuditEvent[]>): Promise<AuditEvent[]> {
  let before = -1
  for (;;) {
    const events = await read()
    if (events.length === before) return events
    before = events.length
    await sleep(1_500)
  }
}
