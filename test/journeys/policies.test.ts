/** What policies make of real calls of real servers, by every way to them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Api, apiOf, tokenFor } from '../fixtures/api.ts'
import { type Gateway, startGateway } from '../fixtures/gateway.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, type Era, inEra, openSession, textOf } from '../fixtures/mcp-call.ts'
import { stdio } from '../fixtures/servers.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-policies-'))
const tokens: Record<string, string> = {}
let gateway: Gateway
let api: Api

beforeAll(async () => {
  writeFileSync(join(folder, 'notes.txt'), 'be kind')
  writeFileSync(join(folder, 'secret.txt'), 'not yours')
  const user = (name: string, role = 'member') => ({ email: `${name}@example.com`, role })
  gateway = await startGateway({
    user: 'root@example.com',
    manifest: {
      users: [user('root', 'admin'), user('ana'), user('bo')],
      teams: [{ name: 'writers', members: ['bo@example.com'] }],
      groups: [{ name: 'office', access: [{ subject: 'user:ana@example.com' }] }],
      servers: [
        { group: 'office', name: 'files', transport: stdio.filesystem(folder) },
        { group: 'office', name: 'everything', transport: stdio.everything() },
      ],
    },
  })
  api = apiOf(gateway.url, gateway.token)
  for (const name of ['ana', 'bo']) tokens[name] = (await tokenFor(api, `user:${name}@example.com`)).token
  for (const server of ['files', 'everything']) await api(`POST /servers/office/${server}/test`)
})

afterEach(async () => {
  const { items } = await api<{ items: { name: string }[] }>('GET /policies')
  for (const { name } of items) await api(`DELETE /policies/${name}`)
})

afterAll(async () => {
  await gateway?.stop()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

const put = (name: string, text: string, mode = 'enforce') => api(`PUT /policies/${name}`, { text, mode })

async function asks(
  who: string,
  era: Era,
  {
    method,
    params = {},
    server = 'files',
  }: { method: string; params?: Record<string, unknown>; server?: string },
) {
  const url = `${gateway.url}/mcp/office/${server}/server`
  const token = tokens[who] ?? ''
  const session = era === 'session' ? await openSession(url, token) : undefined
  return call(url, { ...inEra(era, { id: 3, method, params, session }), token })
}

const read = (name: string) => ({
  method: 'tools/call',
  params: { name: 'read_text_file', arguments: { path: join(folder, name) } },
})

async function listed(who: string, era: Era, key: string, server = 'files'): Promise<string[]> {
  const { result } = answerOf(await asks(who, era, { method: `${key}/list`, server }))
  const items: { name: string; uri?: string }[] = Array.isArray(result?.[key]) ? result[key] : []
  return items.map(({ name, uri }) => uri ?? name)
}

describe.each(['session', 'stateless'] as const)('in the %s era', era => {
  it('a forbid on arguments refuses those calls with its reason, and no others', async () => {
    await put(
      'no-secrets',
      `@reason("Secrets are not read here.")
       forbid (principal, action == Action::"tool.call", resource in Server::"office/files")
       when { context.arguments has path && context.arguments.path like "*secret*" };`,
    )
    expect(textOf(answerOf(await asks('ana', era, read('notes.txt'))))).toBe('be kind')
    const { error } = answerOf(await asks('ana', era, read('secret.txt')))
    expect(error).toMatchObject({
      code: 31_026,
      message: 'A policy forbids this call.',
      data: { code: 'access.policy_forbids', why: 'Secrets are not read here.' },
    })
    expect(await listed('ana', era, 'tools')).toContain('read_text_file')
    const { items } = await api<{ items: { subject: string; outcome: string; decision: unknown }[] }>(
      'GET /audit?action=tools/call&outcome=denied&limit=1',
    )
    expect(items).toMatchObject([
      {
        subject: 'read_text_file',
        error: 'access.policy_forbids',
        decision: { allowed: false, reason: 'Secrets are not read here.', policies: ['no-secrets'] },
      },
    ])
  })

  it('a permit of one tool opens that tool to its team, and the end of it closes it at once', async () => {
    expect((await asks('bo', 'stateless', { method: 'tools/list' })).status).toBe(404)
    await put(
      'writers-read',
      'permit (principal in Team::"writers", action == Action::"tool.call", resource == Tool::"office/files/read_text_file");',
    )
    const url = `${gateway.url}/mcp/office/files/server`
    const session = era === 'session' ? await openSession(url, tokens.bo ?? '') : undefined
    const again = async () =>
      call(url, { ...inEra(era, { id: 4, ...read('notes.txt'), session }), token: tokens.bo })
    expect(await listed('bo', era, 'tools')).toEqual(['read_text_file'])
    expect(textOf(answerOf(await again()))).toBe('be kind')
    const other = { method: 'tools/call', params: { name: 'list_directory', arguments: { path: folder } } }
    expect(answerOf(await asks('bo', era, other)).error).toMatchObject({ message: 'Unknown tool.' })
    expect((await asks('bo', 'stateless', { method: 'tools/list', server: 'everything' })).status).toBe(404)
    await api('DELETE /policies/writers-read')
    expect((await again()).status).toBe(404)
  })

  it('a forbid on a resource or prompt hides it and refuses it as absent', async () => {
    const [uri = ''] = await listed('ana', era, 'resources', 'everything')
    const [prompt = '', ...prompts] = await listed('ana', era, 'prompts', 'everything')
    await put(
      'no-one',
      `forbid (principal, action == Action::"resource.read", resource == Resource::"office/everything/${uri}");
      forbid (principal, action, resource == Prompt::"office/everything/${prompt}");`,
    )
    const after = await listed('ana', era, 'resources', 'everything')
    expect(after).not.toContain(uri)
    expect(await listed('ana', era, 'prompts', 'everything')).toEqual(prompts)
    const server = 'everything'
    expect(
      answerOf(await asks('ana', era, { method: 'resources/read', params: { uri }, server })).error,
    ).toMatchObject({
      message: 'Resource not found.',
    })
    expect(
      answerOf(await asks('ana', era, { method: 'prompts/get', params: { name: prompt }, server })).error,
    ).toMatchObject({ message: 'Unknown prompt.' })
    const [kept = ''] = after
    const { result } = answerOf(
      await asks('ana', era, { method: 'resources/read', params: { uri: kept }, server }),
    )
    expect(result).toMatchObject({ contents: expect.any(Array) })
  })
})

it('shadow mode decides nothing, and the audit says what it would have changed', async () => {
  await put(
    'never',
    'forbid (principal, action == Action::"tool.call", resource) when { context.address.isLoopback() };',
    'shadow',
  )
  expect(textOf(answerOf(await asks('ana', 'stateless', read('notes.txt'))))).toBe('be kind')
  await vi.waitFor(async () => {
    const { items } = await api<{ items: unknown[] }>('GET /audit?action=tools/call&limit=1')
    expect(items).toMatchObject([{ outcome: 'ok', decision: { allowed: true, shadow: ['never'] } }])
  })
})

it('the operator calls as ever', async () => {
  await put('nobody', 'forbid (principal, action, resource);')
  expect(await listed('ana', 'stateless', 'tools')).toEqual([])
  expect((await asks('ana', 'stateless', read('notes.txt'))).status).toBe(404)
  const path = join(folder, 'notes.txt')
  expect(await gateway.cli('call', 'office/files', 'read_text_file', '--arg', `path=${path}`)).toContain(
    'be kind',
  )
})

it('a policy with mistakes is refused with the place of each, and changes nothing', async () => {
  const file = join(folder, 'bad.cedar')
  writeFileSync(
    file,
    `forbid (principal in Team::"writer", action == Action::"tool.call", resource in Server::"office/files")\nwhen { context.arguments has pth };\n`,
  )
  const refusal = await gateway.cli('policy', 'add', 'bad', '--file', file).then(String, String)
  expect(refusal).toContain('1:28: There is no team writer. Did you mean writers?')
  expect(refusal).toContain(
    '2:30: No tool in the scope of the statement takes an argument pth. Did you mean path?',
  )
  expect(await gateway.cli('policy', 'list')).toContain('There are no policies')
  const checked = await gateway.cli('policy', 'validate', file).then(String, String)
  expect(checked).toContain('problem at line 2, column 30')
  expect(await gateway.cli('policy', 'schema', '--resource', 'office/files/read_text_file')).toMatch(
    /path\?: .*String/,
  )
  await gateway.cli(
    'policy',
    'add',
    'good',
    '--text',
    'forbid (principal, action, resource in Server::"office/files");',
  )
  expect(await gateway.cli('policy', 'show', 'good')).toContain('forbid (principal')
  expect(await gateway.cli('policy', 'remove', 'good')).toContain('Removed the policy good.')
})
