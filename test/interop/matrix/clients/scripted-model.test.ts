/** The script calls what is offered, whatever dialect an agent speaks, and remembers what came back. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type ServerKind, servers } from '../servers.ts'
import { type ScriptedModel, startScriptedModel } from './scripted-model.ts'

const everything = known('everything-http')
const memory = known('memory')
const other = { name: 'shell' }
let model: ScriptedModel

beforeEach(async () => {
  model = await startScriptedModel([memory, everything])
})
afterEach(() => model.stop())

async function ask(path: string, body: unknown): Promise<string> {
  const response = await fetch(`${model.url}${path}`, { method: 'POST', body: JSON.stringify(body) })
  expect(response.status).toBe(200)
  return response.text()
}

const id = 'call_everything_http'
const text = 'Echo: ola'
const dialects = [
  {
    title: 'Messages',
    path: '/v1/messages?beta=true',
    tools: [other, { name: 'mcp__everything-http__echo' }],
    said: (tools: unknown) => ({ stream: true, tools, messages: [{ role: 'user', content: 'go' }] }),
    result: {
      messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content: text }] }],
    },
    called: '"name":"mcp__everything-http__echo"',
  },
  {
    title: 'Chat Completions',
    path: '/v1/chat/completions',
    tools: [{ function: other }, { function: { name: 'everything-http_echo' } }],
    said: (tools: unknown) => ({ stream: true, tools, messages: [{ role: 'user', content: 'go' }] }),
    result: { messages: [{ role: 'tool', tool_call_id: id, content: [{ type: 'text', text }] }] },
    called: '"name":"everything-http_echo"',
  },
  {
    title: 'Responses',
    path: '/v1/responses',
    tools: [
      { type: 'function', ...other },
      { type: 'namespace', name: 'mcp__everything_http', tools: [{ name: 'echo' }] },
    ],
    said: (tools: unknown) => ({ stream: true, tools, input: [] }),
    result: { input: [{ type: 'function_call_output', call_id: id, output: text }] },
    called: '"namespace":"mcp__everything_http","name":"echo"',
  },
  {
    title: 'generateContent',
    path: '/v1beta/models/scripted:streamGenerateContent?alt=sse',
    tools: [{ functionDeclarations: [other, { name: 'mcp_everything-http_echo' }] }],
    said: (tools: unknown) => ({ tools, contents: [{ parts: [{ text: 'go' }] }] }),
    result: {
      contents: [
        { parts: [{ functionResponse: { name: 'mcp_everything-http_echo', response: { output: text } } }] },
      ],
    },
    called: '"name":"mcp_everything-http_echo"',
  },
]

it.each(dialects)('speaks $title', async ({ path, tools, said, result, called }) => {
  const first = await ask(path, said(tools))
  expect(first).toContain(called)
  expect(first).toContain('ola')
  expect(model.answerOf(everything)).toBeNull()
  const second = await ask(path, { ...said(tools), ...result })
  expect(second).toContain('Done.')
  expect(second).not.toContain('echo')
  expect(model.answerOf(everything)).toBe(text)
  expect(model.offersOf(everything)).toHaveLength(1)
  expect(model.offersOf(memory)).toEqual([])
})

it('says no more than that it is done where no tools are offered', async () => {
  const messages = [{ role: 'user', content: 'What would be a good title?' }]
  expect(await ask('/v1/messages', { messages })).toContain('Done.')
  expect((await fetch(`${model.url}/v1/models`)).status).toBe(404)
})

function known(name: string): ServerKind {
  const server = servers.find(one => one.name === name)
  if (server === undefined) throw new Error(`no server ${name}`)
  return server
}
