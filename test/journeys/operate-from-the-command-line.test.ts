import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { snippets } from '../../src/cli/snippets.ts'
import { newDataDir, type Ran, run, type Started, start } from '../fixtures/command.ts'

const everything = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
)
const dataDir = newDataDir()
let gateway: Started
let token: string

/** On the machine of the gateway. */
const here = (...words: string[]) => run(words, { env: { GATEHOUSE_DATA_DIR: dataDir } })
/** From anywhere else. */
const there = (words: string[], asToken = token) =>
  run(words, { env: { GATEHOUSE_URL: gateway.url, GATEHOUSE_TOKEN: asToken } })

async function ok(ran: Promise<Ran>): Promise<Ran> {
  const done = await ran
  expect(done.stderr + done.stdout).not.toContain('\u001b')
  expect(done, done.stderr).toMatchObject({ code: 0 })
  return done
}

beforeAll(async () => {
  gateway = await start(dataDir)
  await ok(here('user', 'add', 'ana@example.com', '--role', 'admin'))
  await ok(here('group', 'add', 'tools', '--description', 'Tools for all'))
  await ok(here('server', 'add', 'tools/everything', '--', process.execPath, everything))
  await ok(
    here(
      'group',
      'grant',
      'tools',
      'user:ana@example.com',
      '--servers',
      'everything',
      '--tools',
      'echo,get-*',
    ),
  )
  token = (await ok(here('token', 'create', '--user', 'ana@example.com', '--expires', '1h'))).stdout.trim()
})

afterAll(() => gateway.stop())

describe('people', () => {
  it('are added, shown, changed and removed', async () => {
    await ok(here('user', 'add', 'bo@example.com'))
    expect((await ok(here('user', 'list'))).stdout).toMatch(/^bo@example.com +member +- +no/m)
    await ok(here('user', 'update', 'bo@example.com', '--role', 'auditor', '--disable'))
    expect((await ok(here('user', 'list'))).stdout).toMatch(/^bo@example.com +auditor +- +yes/m)
    await ok(here('user', 'remove', 'bo@example.com'))
    expect((await ok(here('user', 'list', '--json'))).json.items).toHaveLength(1)
  })

  it('make teams', async () => {
    await ok(here('team', 'add', 'core'))
    await ok(here('team', 'member', 'add', 'core', 'ana@example.com'))
    expect((await ok(here('team', 'list'))).stdout).toMatch(/^core +ana@example.com/m)
    await ok(here('team', 'member', 'remove', 'core', 'ana@example.com'))
    await ok(here('team', 'remove', 'core'))
    expect((await ok(here('team', 'list'))).stdout).toBe('No team has been created yet.\n')
  })

  it('answer for virtual accounts, whose tokens are for MCP only', async () => {
    await ok(here('account', 'add', 'nightly', '--owner', 'ana@example.com'))
    expect((await ok(here('account', 'list'))).stdout).toMatch(/^nightly +user:ana@example.com +no/m)
    const { json } = await ok(here('token', 'create', '--account', 'nightly', '--json'))
    expect(json.token).toMatch(/^gth_vat_/)
    expect(await there(['user', 'list'], json.token)).toMatchObject({ code: 3 })
    await ok(here('account', 'update', 'nightly', '--disable'))
    expect((await ok(here('account', 'list'))).stdout).toMatch(/^nightly +user:ana@example.com +yes/m)
    await ok(here('account', 'remove', 'nightly'))
  })

  it('enter applications that prove by a key who they are, and never a private key', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const added = (key: typeof publicKey) => {
      const words = [
        'oauth-client',
        'add',
        'desk',
        '--redirect',
        'https://desk.example.com/cb',
        '--jwks',
        '-',
      ]
      return run(words, {
        env: { GATEHOUSE_DATA_DIR: dataDir },
        input: JSON.stringify(key.export({ format: 'jwk' })),
      })
    }
    expect(await added(privateKey)).toMatchObject({ code: 1, stderr: expect.stringContaining('private key') })
    await ok(added(publicKey))
    expect((await ok(here('oauth-client', 'list'))).stdout).toMatch(/^desk +desk +company +key/m)
    await ok(here('oauth-client', 'remove', 'desk'))
  })

  it('have tokens that end when they are revoked', async () => {
    const made = (await ok(here('token', 'create', '--user', 'ana@example.com', '--name', 'short', '--json')))
      .json
    await ok(there(['group', 'list'], made.token))
    await ok(here('token', 'revoke', made.id))
    expect(await there(['group', 'list'], made.token)).toMatchObject({ code: 3 })
    const listed = (await ok(here('token', 'list'))).stdout
    expect(listed).toMatch(new RegExp(`^${made.id} .*revoked`, 'm'))
    expect(listed).not.toContain(made.token)
  })
})

describe('groups and servers', () => {
  it('have managers and grants', async () => {
    await ok(here('group', 'add', 'other', '--manager', 'user:ana@example.com'))
    await ok(here('group', 'manager', 'remove', 'other', 'user:ana@example.com'))
    await ok(here('group', 'manager', 'add', 'other', 'user:ana@example.com'))
    expect((await ok(here('group', 'list'))).stdout).toMatch(/^other +- +user:ana@example.com/m)
    const grant = (await ok(here('group', 'grant', 'other', 'everyone', '--tools', 'readOnly', '--json')))
      .json
    expect((await ok(here('group', 'grants', 'other'))).stdout).toMatch(/everyone +all +readOnly/)
    await ok(here('group', 'revoke', 'other', grant.id))
    await ok(here('group', 'remove', 'other'))
  })

  it('are listed, shown, tested and removed', async () => {
    expect((await ok(here('server', 'list'))).stdout).toMatch(/^tools\/everything +stdio +/m)
    expect((await ok(here('server', 'show', 'tools/everything'))).stdout).toMatch(
      /^endpoint +\/mcp\/tools\/everything\/server/m,
    )
    const tested = await ok(here('server', 'test', 'tools/everything'))
    expect(tested.stdout).toMatch(/^ok +era +\d+ ms/m)
    const added = await here('server', 'add', 'tools/broken', '--', '/nowhere/to/be/found')
    expect(added.stdout).toContain('fail')
    expect(await here('server', 'test', 'tools/broken')).toMatchObject({ code: 1 })
    await ok(here('server', 'remove', 'tools/broken'))
  })

  it('offer tools to who was granted them', async () => {
    const mine = (await ok(there(['tools', 'tools/everything']))).stdout
    expect(mine).toMatch(/^echo +yes/m)
    expect(mine).not.toContain('trigger-')
    expect((await ok(there(['tools']))).stdout).toMatch(/^tools\/everything +echo/m)
  })
})

describe('calling a tool', () => {
  it.each([
    [['--arg', 'message=12'], 'Echo: 12\n'],
    [['--json', '{"message":"hi"}'], 'Echo: hi\n'],
  ])('prints what it says: %j', async (args, stdout) => {
    expect(await ok(there(['call', 'tools/everything', 'echo', ...args]))).toMatchObject({ stdout })
  })

  it('prints the raw result as JSON', async () => {
    const args = ['call', 'tools/everything', 'get-sum', '--arg', 'a=1', '--arg', 'b=2']
    for (const flag of ['--json', '--raw'])
      expect((await ok(there([...args, flag]))).json.content[0].text).toContain('3')
  })

  it('works for the operator too', async () => {
    expect(await ok(here('call', 'tools/everything', 'echo', '--arg', 'message=x'))).toMatchObject({
      stdout: 'Echo: x\n',
    })
  })

  it.each([
    [['tools/everything', 'nothing-such'], 1, /^Unknown tool/],
    [['tools/everything', 'trigger-long-running-operation'], 1, /^Unknown tool/],
    [['tools/nothing', 'echo'], 1, /^There is no such group or server/],
    [['nothing', 'echo'], 2, /not the name of a server/],
    [['tools/everything', 'echo', '--json', '{'], 2, /does not parse/],
    [['tools/everything', 'echo', '--arg', 'x'], 2, /lacks the =/],
  ])('%j ends with %i', async (args, code, stderr) => {
    expect(await there(['call', ...args])).toMatchObject({ code, stderr: expect.stringMatching(stderr) })
  })
})

describe('the manifest', () => {
  it('comes out as it goes in', async () => {
    const exported = (await ok(here('export'))).stdout
    expect(exported).toContain('email: ana@example.com')
    const again = await ok(run(['apply', '-f', '-', '--data-dir', dataDir], { input: exported }))
    expect(again.stdout).toBe('Nothing to change.\n')
  })

  it('shows a plan and makes it so, with secrets from where the command runs', async () => {
    const reference = ['$', '{env:SOME_KEY}'].join('')
    const manifest = [
      'servers:',
      '  - group: tools',
      '    name: keyed',
      '    transport: { kind: streamable-http, url: "https://mcp.invalid/mcp" }',
      `    auth: { kind: headers, headers: { X-Key: "${reference}" } }`,
    ].join('\n')
    const apply = (words: string[], env = {}) =>
      run(['apply', '-f', '-', ...words, '--data-dir', dataDir], { input: manifest, env })
    expect(await apply([])).toMatchObject({ code: 1, stderr: expect.stringContaining('SOME_KEY') })
    const planned = await ok(apply(['--dry-run'], { SOME_KEY: 'sesame' }))
    expect(planned.stdout).toBe('+ server tools/keyed\n\n1 change planned; nothing was changed.\n')
    expect((await ok(apply([], { SOME_KEY: 'sesame' }))).stdout).toContain('Applied 1 change.')
    const exported = (await ok(here('export'))).stdout
    expect(exported).toContain(reference)
    expect(exported).not.toContain('sesame')
    await ok(here('server', 'remove', 'tools/keyed'))
  })

  it('names every problem with its line', async () => {
    const input = 'users:\n  - emial: x\n    role: king\n'
    const { code, stderr } = await run(['apply', '-f', '-', '--data-dir', dataDir], { input })
    expect(code).toBe(1)
    expect(stderr).toMatch(/line 2, users\[0\].emial.*\n +fix: Did you mean email/)
    expect(stderr).toMatch(/line 3, users\[0\].role/)
  })
})

describe('looking around', () => {
  it('finds in the audit who called what', async () => {
    await ok(there(['call', 'tools/everything', 'echo', '--arg', 'message=audited']))
    const { stdout } = await ok(here('audit', '--limit', '5', '--action', 'tools/call', '--since', '1h'))
    expect(stdout).toMatch(/ana@example.com +tools\/call +tools\/everything echo +ok/)
    expect(await here('audit', '--since', 'yesterday')).toMatchObject({ code: 2 })
  })

  it('sees that all is well', async () => {
    const { stdout } = await ok(here('doctor'))
    for (const name of ['node', 'configuration', 'gateway', 'database', 'audit spool'])
      expect(stdout).toMatch(new RegExp(`^ok +${name} `, 'm'))
    expect((await ok(there(['doctor', '--json']))).json.items[0].isWell).toBe(true)
  })

  it.each(Object.keys(snippets))('says how to connect %s', async client => {
    const { stdout } = await ok(there(['connect', client, 'tools/everything', '--token', 'gth_pat_x']))
    expect(stdout).toContain(`${gateway.url}/mcp/tools/everything/server`)
    if (client !== 'vscode') expect(stdout).toContain('gth_pat_x')
  })

  it.each(Object.entries(snippets))('says how %s signs in, or that it cannot', async (client, { signIn }) => {
    const ran = await there(['connect', client, 'tools/everything', '--sign-in'])
    if (signIn === undefined) {
      expect(ran).toMatchObject({ code: 2, stdout: '' })
      return
    }
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(ran.stdout).toContain(`${gateway.url}/mcp/tools/everything/server`)
    expect(ran.stdout).not.toMatch(/Authorization|GATEHOUSE_TOKEN|<token>/)
  })

  it('completes what is being typed', async () => {
    expect((await ok(run(['complete', '--', 'ser']))).stdout).toBe('server\n')
    expect((await ok(run(['complete', '--', 'server', 'add', '--allow-p']))).stdout).toBe(
      '--allow-private-network\n',
    )
    for (const shell of ['bash', 'zsh', 'fish'])
      expect((await ok(run(['completion', shell]))).stdout).toContain('gatehouse complete')
  })
})

describe('keys and backups', () => {
  it('are shown and copied, never printed', async () => {
    const { stdout } = await ok(here('keys'))
    expect(stdout).toMatch(/^master key [0-9a-f]{16} in /m)
    const copy = join(newDataDir(), 'copy.key')
    await ok(here('keys', 'backup', copy))
    expect(statSync(copy).mode & 0o777).toBe(0o600)
    expect(stdout).not.toContain(readFileSync(copy, 'utf8').trim())
    expect(await here('keys', 'backup', copy)).toMatchObject({ code: 2 })
  })

  it('bring everything back on another machine', async () => {
    const file = join(newDataDir(), 'backup')
    await ok(here('backup', file))
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await here('restore', file, '--force')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Another gateway'),
    })
    const elsewhere = newDataDir()
    await ok(run(['restore', file, '--data-dir', elsewhere]))
    const users = await ok(run(['user', 'list', '--json', '--data-dir', elsewhere]))
    expect(users.json.items).toMatchObject([{ email: 'ana@example.com' }])
    expect(existsSync(join(elsewhere, 'gatehouse.sock'))).toBe(false)
    expect(await run(['restore', file, '--data-dir', elsewhere])).toMatchObject({ code: 2 })
  })
})
