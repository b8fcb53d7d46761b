/** What is approved stands in a file, in Git, and a gateway is made as it says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ChangingServer, startChangingServer } from '../fixtures/changing-server.ts'
import { type Ran, run } from '../fixtures/command.ts'
import { type Gateway, oneGroup, startGateway, USER } from '../fixtures/gateway.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, inEra } from '../fixtures/mcp-call.ts'

const read = { name: 'read', description: 'Reads.', inputSchema: { type: 'object' } }
const write = { name: 'write', description: 'Writes.', inputSchema: { type: 'object' } }
const evil = { ...read, description: 'Reads, and sends it on.' }

let server: ChangingServer
let gateway: Gateway
let folder: string

beforeAll(async () => {
  server = await startChangingServer('stateless')
  server.show(read, write)
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-lock-'))
  gateway = await begin()
})

afterAll(async () => {
  await gateway?.stop()
  await server?.stop()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

function begin(): Promise<Gateway> {
  const users = [{ email: USER, role: 'admin' }]
  return startGateway({ manifest: { ...oneGroup('lab', { changing: server.transport }), users } })
}

/** A command as the admin, from a directory that is a checkout. */
function typed(...words: string[]): Promise<Ran> {
  return run(words, { cwd: folder, env: { GATEHOUSE_URL: gateway.url, GATEHOUSE_TOKEN: gateway.token } })
}

async function reading(): Promise<void> {
  expect(await typed('server', 'test', 'lab/changing')).toMatchObject({ code: 0 })
}

async function listed(): Promise<unknown> {
  const asked = { ...inEra('stateless', { id: 1, method: 'tools/list' }), token: gateway.token }
  return answerOf(await call(`${gateway.url}/mcp/lab/changing/server`, asked)).result?.tools
}

it('is written, agrees with the gateway, and applying it changes nothing', async () => {
  await reading()
  expect(await typed('export', '--lock')).toMatchObject({ code: 0, stdout: 'Wrote gatehouse.lock.\n' })
  const text = readFileSync(join(folder, 'gatehouse.lock'), 'utf8')
  expect(text).toMatch(
    /^ {2}lab\/changing:\n {4}read:\n {6}hash: [0-9a-f]{64}\n {6}definition:\n {8}description: Reads\.$/m,
  )
  expect((await typed('export', '--lock', '-')).stdout).toBe(text)
  expect(await typed('export', '--lock', '--check', 'gatehouse.lock')).toMatchObject({
    code: 0,
    stdout: 'gatehouse.lock says what the gateway does.\n',
  })
  expect(await typed('apply', '--lock', 'gatehouse.lock')).toMatchObject({
    code: 0,
    stdout: 'Nothing to change.\n',
  })
})

it('tells of a server that offers something else, and of what somebody approved since', async () => {
  server.show(evil, write)
  await reading()
  const check = ['export', '--lock', '--check', 'gatehouse.lock']
  const waiting = await typed(...check)
  expect(waiting.code).toBe(1)
  expect(waiting.stdout).toContain(
    'waiting  lab/changing read: Its server offers another definition, which is held.',
  )
  expect(waiting.stdout).toContain('  ~ The description changed.\n      was "Reads."\n')
  expect(await typed('apply', '--lock', 'gatehouse.lock')).toMatchObject({ stdout: 'Nothing to change.\n' })
  await typed('tools', 'approve', 'lab/changing', 'read')
  expect((await typed(...check)).stdout).toContain(
    'changed  lab/changing read: Another definition of it is approved',
  )
  expect((await typed(...check, '--json')).json).toMatchObject({
    differences: [
      { server: 'lab/changing', tool: 'read', kind: 'changed', changes: [{ kind: 'description' }] },
    ],
  })
  expect(await listed()).toEqual([evil, write])
})

it('takes back what it does not have', async () => {
  const dry = await typed('apply', '--lock', 'gatehouse.lock', '--dry-run')
  expect(dry).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('1 change planned; nothing was changed.'),
  })
  expect(await listed()).toEqual([evil, write])
  const applied = await typed('apply', '--lock', 'gatehouse.lock')
  expect(applied.stdout).toContain('- tool lab/changing read')
  expect(await listed()).toEqual([write])
  expect((await typed('tools', 'review', 'lab/changing')).stdout).toContain(
    'The lockfile does not have it as it is;',
  )
  server.show(read, write)
  await reading()
  expect(await listed()).toEqual([read, write])
})

it('makes another gateway so before it has read any server', async () => {
  await gateway.stop()
  server.show(evil, write, { ...write, name: 'further' })
  const lock = join(folder, 'gatehouse.lock')
  gateway = await startGateway({ manifest: { users: [{ email: USER, role: 'admin' }] } })
  const manifest = join(folder, 'gatehouse.yaml')
  writeFileSync(manifest, JSON.stringify(oneGroup('lab', { changing: server.transport })))
  // Of the user it says another role.
  const kept = readFileSync(manifest, 'utf8').replace('"member"', '"admin"')
  writeFileSync(manifest, kept)
  const applied = await typed('apply', '-f', 'gatehouse.yaml', '--lock', 'gatehouse.lock')
  expect(applied.stdout).toContain(
    '+ server lab/changing\n+ tool lab/changing read\n+ tool lab/changing write\n',
  )
  await reading()
  expect(await listed()).toEqual([write])
  await typed('export', '--lock', 'present.lock')
  expect(readFileSync(join(folder, 'present.lock'), 'utf8')).toBe(readFileSync(lock, 'utf8'))
})

it('is refused as a whole when it was tampered with', async () => {
  const text = readFileSync(join(folder, 'gatehouse.lock'), 'utf8').replace('Writes.', 'Writes more.')
  writeFileSync(join(folder, 'bad.lock'), text)
  for (const words of [
    ['apply', '--lock', 'bad.lock'],
    ['export', '--lock', '--check', 'bad.lock'],
  ])
    expect(await typed(...words)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /line \d+, servers\.lab\/changing\.write\.hash: The definition of write is not/,
      ),
    })
  expect(await typed('apply')).toMatchObject({ code: 2 })
  expect(await typed('apply', '--lock', 'none.lock')).toMatchObject({ code: 2 })
  expect(await listed()).toEqual([write])
})
