/** A virtual server from a manifest to its removal: applied, called, changed, compared, rolled back, exported, pruned. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { run } from '../fixtures/command.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { connect, textOf } from '../fixtures/sdk-client.ts'
import { type Served, startEverything, stdio } from '../fixtures/servers.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-virtual-'))
let everything: Served
let gateway: Gateway

const people = { users: [{ email: 'ana@example.com' }, { email: 'root@example.com', role: 'admin' }] }

/** The virtual server of the contract: nobody has a grant on its sources. */
const safeDev = {
  group: 'engineering',
  name: 'safe-dev',
  access: [{ subject: 'everyone' }],
  sources: [
    { server: 'engineering/files', tools: ['read_text_file', 'list_directory'] },
    {
      server: 'engineering/everything',
      tools: [
        {
          name: 'echo',
          as: 'say_back',
          description: 'Repeats a message',
          arguments: { message: { description: 'what to repeat' }, locale: { value: 'en', hidden: true } },
        },
      ],
    },
  ],
}

const manifestOf = (...virtualServers: unknown[]) => ({
  ...people,
  groups: [{ name: 'engineering' }],
  servers: [
    { group: 'engineering', name: 'everything', transport: everything.transport },
    {
      group: 'engineering',
      name: 'files',
      transport: stdio.filesystem(folder),
      tools: { deny: ['write_file', 'edit_file', 'move_file'] },
    },
  ],
  virtualServers,
})

const changed = () => {
  const [files, echo] = structuredClone(safeDev.sources)
  return {
    ...safeDev,
    instructions: 'Be brief.',
    sources: [files, { ...echo, tools: [{ name: 'echo', as: 'repeat' }] }],
  }
}

const here = (...words: string[]) => run(words, { env: { GATEHOUSE_DATA_DIR: gateway.dataDir } })

function written(name: string, content: unknown): string {
  const file = join(folder, name)
  writeFileSync(file, stringify(content))
  return file
}

const apply = (content: unknown, ...options: string[]) =>
  here('apply', '-f', written('manifest.yaml', content), ...options)

async function names(): Promise<string[]> {
  const client = await connect({
    url: `${gateway.url}/mcp/engineering/safe-dev/server`,
    token: gateway.token,
    mode: 'auto',
  })
  const { tools } = await client.listTools()
  await client.close()
  return tools.map(({ name }) => name).sort()
}

beforeAll(async () => {
  writeFileSync(join(folder, 'notes.txt'), 'be kind')
  everything = await startEverything('streamable-http')
  gateway = await startGateway({ manifest: manifestOf(safeDev) })
  for (const server of ['everything', 'files']) await gateway.cli('server', 'test', `engineering/${server}`)
})

afterAll(async () => {
  await gateway?.stop()
  await everything?.stop()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

it('serves parts of servers that came in the same manifest, to those who have no grant on them', async () => {
  const url = `${gateway.url}/mcp/engineering/safe-dev/server`
  const client = await connect({ url, token: gateway.token, mode: 'auto' })
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name).sort()).toEqual(['list_directory', 'read_text_file', 'say_back'])
  expect(tools.find(({ name }) => name === 'say_back')).toMatchObject({
    description: 'Repeats a message',
    inputSchema: { properties: { message: { description: 'what to repeat' } }, required: ['message'] },
  })
  const said = await client.callTool({ name: 'say_back', arguments: { message: 'hello' } })
  expect(textOf(said)).toBe('Echo: hello')
  const path = join(folder, 'notes.txt')
  expect(textOf(await client.callTool({ name: 'read_text_file', arguments: { path } }))).toBe('be kind')
  await expect(client.callTool({ name: 'echo', arguments: { message: 'x' } })).rejects.toThrow('Unknown tool')
  await client.close()
  const source = `${gateway.url}/mcp/engineering/files/server`
  await expect(connect({ url: source, token: gateway.token, mode: 'auto' })).rejects.toThrow()
})

it('is not published again by what changes nothing', async () => {
  expect(await apply(manifestOf(safeDev))).toMatchObject({ code: 0, stdout: 'Nothing to change.\n' })
  expect((await here('virtual', 'versions', 'engineering/safe-dev', '--json')).json.items).toHaveLength(1)
})

it('shows in a dry run what would change, and changes nothing', async () => {
  const { stdout } = await apply(manifestOf(changed()), '--dry-run')
  expect(stdout).toContain('~ virtualServer engineering/safe-dev')
  expect(stdout).toContain('sources.engineering/everything.tools.echo.as: "say_back" -> "repeat"')
  expect(await names()).toContain('say_back')
})

it('publishes a change, says what it means for callers, and is rolled back', async () => {
  expect(await apply(manifestOf(changed()))).toMatchObject({ code: 0 })
  expect(await names()).toEqual(['list_directory', 'read_text_file', 'repeat'])
  const { stdout } = await here('virtual', 'diff', 'engineering/safe-dev', '--from', '1', '--to', '2')
  expect(stdout.split('\n')).toEqual(
    expect.arrayContaining([
      'From publication 1 to publication 2:',
      '  ~ What a model is told about the whole server was added.',
      '  ~ echo of engineering/everything is called repeat, no longer say_back.',
      '  ~ The description of echo of engineering/everything was removed.',
      '  ~ The argument locale of echo of engineering/everything may be set by callers again.',
      '  ~ The tool say_back is called repeat.',
    ]),
  )
  const { json } = await here('virtual', 'diff', 'engineering/safe-dev', '--from', '1', '--to', '2', '--json')
  expect(json).toMatchObject({ from: 1, to: 2, problems: [], missing: [] })
  expect(json.callers).toEqual([
    expect.objectContaining({ kind: 'tool', effect: 'renamed', was: 'say_back', name: 'repeat' }),
  ])
  const back = await here('virtual', 'rollback', 'engineering/safe-dev', '1')
  expect(back.stdout).toBe('engineering/safe-dev serves publication 3.\n')
  expect(await names()).toContain('say_back')
  expect(await here('virtual', 'diff', 'engineering/safe-dev')).toMatchObject({
    code: 0,
    stdout: 'There is no draft: publication 3 is what is served.\n',
  })
})

it('is drafted, previewed and published from the command line', async () => {
  const draft = { ...safeDev, sources: [...safeDev.sources.slice(0, 1)] }
  const drafted = await run(['virtual', 'draft', '-f', '-'], {
    env: { GATEHOUSE_DATA_DIR: gateway.dataDir },
    input: stringify(draft),
  })
  expect(drafted).toMatchObject({ code: 0 })
  expect((await here('virtual', 'list')).stdout).toMatch(/^engineering\/safe-dev +3 +yes/m)
  const preview = await here('virtual', 'preview', 'engineering/safe-dev')
  expect(preview).toMatchObject({ code: 0 })
  expect(preview.stdout).toMatch(/^tool +read_text_file +engineering\/files +read_text_file$/m)
  const { stdout } = await here('virtual', 'diff', 'engineering/safe-dev')
  expect(stdout).toContain('- engineering/everything is no source any more.')
  expect(stdout).toContain('- The tool say_back vanishes.')
  expect(await here('virtual', 'publish', 'engineering/safe-dev')).toMatchObject({ code: 0 })
  expect(await names()).toEqual(['list_directory', 'read_text_file'])
  const again = await here('virtual', 'publish', 'engineering/safe-dev')
  expect(again).toMatchObject({ code: 1 })
  expect(again.stderr).toContain('gatehouse virtual draft -f <file>')
  const shown = await here('virtual', 'show', 'engineering/safe-dev')
  expect(shown.stdout).toMatch(/^# publication 4, which is served\n/)
  expect(parse(shown.stdout)).toEqual(draft)
})

it('says what is wrong with a draft, at its line and before it is served', async () => {
  const misspelt = { ...safeDev, sources: [{ server: 'engineering/files', tols: [] }] }
  const refused = await here('virtual', 'draft', '-f', written('draft.yaml', misspelt))
  expect(refused).toMatchObject({ code: 1 })
  expect(refused.stderr).toMatch(/line 7, sources\[0\]\.tols: .*\n.*Did you mean tools\?/)
  const wrong = { ...safeDev, name: 'wrong', sources: [{ server: 'engineering/files', tools: ['raed'] }] }
  await here('virtual', 'draft', '-f', written('draft.yaml', wrong))
  const preview = await here('virtual', 'preview', 'engineering/wrong')
  expect(preview).toMatchObject({ code: 1 })
  expect(preview.stdout).toContain('engineering/files raed chooses nothing.')
  expect(await here('virtual', 'publish', 'engineering/wrong')).toMatchObject({ code: 1 })
  expect(await here('virtual', 'rollback', 'engineering/wrong', 'one')).toMatchObject({ code: 2 })
  expect(await here('virtual', 'diff', 'engineering/none')).toMatchObject({ code: 1 })
  expect(await here('virtual', 'remove', 'engineering/wrong')).toMatchObject({ code: 0 })
  const bad = await apply(manifestOf({ ...wrong, name: 'bad' }))
  expect(bad.stderr).toContain('virtualServers[0].sources[0]: engineering/files raed chooses nothing.')
})

it('is exported as it was applied, and pruned before its sources', async () => {
  expect(await apply(manifestOf(safeDev))).toMatchObject({ code: 0 })
  const exported = parse((await here('export')).stdout)
  expect(exported.virtualServers).toEqual([safeDev])
  expect(await apply(exported, '--prune')).toMatchObject({ code: 0, stdout: 'Nothing to change.\n' })
  const { servers, virtualServers, ...rest } = exported
  const refused = await apply({ ...rest, servers: [] }, '--prune')
  expect(refused.stderr).toContain('which the virtual server engineering/safe-dev is made of')
  const pruned = await apply({ ...rest, servers: [], virtualServers: [] }, '--prune')
  expect(pruned.stdout.split('\n').slice(0, 3)).toEqual([
    '- virtualServer engineering/safe-dev',
    '- server engineering/everything',
    '- server engineering/files',
  ])
  await expect(names()).rejects.toThrow()
  expect((await here('virtual', 'list')).stdout).toBe(
    'There is no virtual server that you may use or manage.\n',
  )
})
