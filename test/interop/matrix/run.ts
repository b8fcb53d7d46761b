/**
 * Runs the interop matrix and writes what it finds into results.json and docs/interop.md.
 *
 *   npm run interop                    every client
 *   npm run interop -- sdk-v1 codex    these clients; of the others, what was found before stays
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../fixtures/process.ts'
import type { ClientKind } from './clients/client-kind.ts'
import { clients } from './clients/index.ts'
import { openLab } from './lab.ts'
import { interopPage } from './page.ts'
import { type ClientResult, isGood, readResults, writeResults } from './results.ts'
import { servers } from './servers.ts'

const wanted = process.argv.slice(2)
const unknown = wanted.find(name => !clients.some(client => client.name === name))
if (unknown !== undefined) {
  console.error(`There is no client ${unknown}. Clients: ${clients.map(({ name }) => name).join(', ')}.`)
  process.exit(2)
}

// So that what was started ends as well.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const chosen = clients.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
const lab = await openLab(chosen)
try {
  for (const client of chosen) await refresh(client)
} finally {
  await lab.stop()
}

async function refresh(client: ClientKind): Promise<void> {
  const startedAt = performance.now()
  try {
    const result = await lab.visit(client)
    keep(client, result)
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
    console.log(`${client.name.padEnd(16)} ${inShort(result)}, ${seconds} s`)
  } catch (cause) {
    process.exitCode = 1
    console.error(`${client.name}: could not be driven; what was found before stays.`, cause)
  }
}

/** Written after each client, so that a run that is broken off was not in vain. */
function keep({ name }: ClientKind, result: ClientResult): void {
  const found = new Map(Object.entries({ ...readResults().clients, [name]: result }))
  const inOrder = clients.flatMap(one => {
    const of = found.get(one.name)
    return of === undefined ? [] : [[one.name, of] as const]
  })
  const versions = servers.map(server => [server.name, { version: server.version() }] as const)
  const results = { servers: Object.fromEntries(versions), clients: Object.fromEntries(inOrder) }
  writeResults(results)
  writeFileSync(join(ROOT, 'docs', 'interop.md'), interopPage(results))
}

function inShort({ cells, features }: ClientResult): string {
  const visited = Object.values(cells)
  const tried = Object.values(features)
    .flatMap(of => Object.values(of))
    .filter(one => one.offered)
  return `${visited.filter(isGood).length} of ${visited.length} servers, ${tried.filter(one => one.ok).length} of ${tried.length} features`
}
