import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { demoPackages } from '../../src/cli/demo-servers.ts'
import { newDataDir, start } from '../fixtures/command.ts'

const execute = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

type Snippet = { client: string; text: string }

it('registers real servers, calls them, and prints snippets that work when pasted', async () => {
  const dataDir = newDataDir()
  const gateway = await start(dataDir, ['--demo'])
  const ready = await gateway.event('demo.ready')
  const calls = gateway.events.filter(({ event }) => event === 'demo.call')
  expect(calls.map(({ server, ok }) => `${server} ${ok}`).sort()).toEqual([
    'demo/employees true',
    'demo/everything true',
    'demo/everything-http true',
    'demo/files true',
    'demo/memory true',
  ])
  const text = (client: string) => ready.snippets.find((snippet: Snippet) => snippet.client === client).text
  const pasted = [
    execute('bash', ['-c', text('curl')]),
    execute(process.execPath, ['--input-type=module', '--eval', text('sdk')], { cwd: root }),
  ]
  for (const { stdout } of await Promise.all(pasted)) expect(stdout).toMatch(/employees[^0-9]+\d+/)
  expect(await gateway.stop()).toBe(0)

  const again = await start(dataDir, ['--demo'])
  expect((await again.event('demo.ready')).token).toBe(ready.token)
  expect(again.events.filter(({ event, ok }) => event === 'demo.call' && ok)).toHaveLength(5)
  expect(await again.stop()).toBe(0)
})

it('runs the same versions from npx as from a checkout', () => {
  const installed: Record<string, string> = manifest.devDependencies
  for (const wanted of Object.values(demoPackages)) {
    const at = wanted.lastIndexOf('@')
    expect(installed[wanted.slice(0, at)]).toBe(wanted.slice(at + 1))
  }
})
