/** What server-everything can do in the session era, through the gateway, with the client of SDK v2. */
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { connect, textOf } from '../fixtures/sdk-client.ts'
import { type Served, startEverything, stdio } from '../fixtures/servers.ts'

let gateway: Gateway
let served: Served[]

beforeAll(async () => {
  const [http, sse] = await Promise.all([startEverything('streamable-http'), startEverything('sse')])
  served = [http, sse]
  gateway = await startGateway({
    manifest: oneGroup('lab', {
      'streamable-http': http.transport,
      sse: sse.transport,
      stdio: stdio.everything(),
    }),
  })
})

afterAll(async () => {
  await gateway?.stop()
  await Promise.all(served?.map(one => one.stop()) ?? [])
})

const FEATURES = 'demo://resource/static/document/features.md'
const url = (server: string) => `${gateway.url}/mcp/lab/${server}/server`

describe.each(['streamable-http', 'sse', 'stdio'])('server-everything over %s', transport => {
  let client: Client
  beforeAll(async () => {
    client = await connect({ url: url(transport), token: gateway.token, mode: 'legacy' })
  })
  afterAll(() => client?.close())

  it('says who it is', () => {
    expect(client.getServerVersion()).toMatchObject({ name: 'mcp-servers/everything', version: '2.0.0' })
    expect(client.getInstructions()).toContain('Everything')
  })

  it('calls a tool', async () => {
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hello' } }))).toBe(
      'Echo: hello',
    )
  })

  it('keeps structured content', async () => {
    const result = await client.callTool({
      name: 'get-structured-content',
      arguments: { location: 'New York' },
    })
    expect(result.structuredContent).toEqual({ temperature: 33, conditions: 'Cloudy', humidity: 82 })
  })

  it('answers a wrong argument as the server does', async () => {
    const result = await client.callTool({ name: 'get-sum', arguments: { a: 'one', b: 2 } })
    expect(result.isError).toBe(true)
    expect(textOf(result)).toContain('Invalid arguments for tool get-sum')
  })

  it('reports progress in order', async () => {
    const seen: number[] = []
    const args = { duration: 0.4, steps: 4 }
    const result = await client.callTool(
      { name: 'trigger-long-running-operation', arguments: args },
      { onprogress: ({ progress, total }) => void seen.push(progress / (total ?? 1)) },
    )
    expect(textOf(result)).toContain('Long running operation completed')
    expect(seen).toEqual([0.25, 0.5, 0.75, 1])
  })

  it('gives prompts', async () => {
    const { prompts } = await client.listPrompts()
    expect(prompts.map(one => one.name)).toContain('args-prompt')
    const prompt = await client.getPrompt({ name: 'args-prompt', arguments: { city: 'Delft' } })
    expect(prompt.messages).toEqual([
      { role: 'user', content: { type: 'text', text: "What's weather in Delft?" } },
    ])
  })

  it('completes an argument in the light of another', async () => {
    const { completion } = await client.complete({
      ref: { type: 'ref/prompt', name: 'completable-prompt' },
      argument: { name: 'name', value: 'E' },
      context: { arguments: { department: 'Sales' } },
    })
    expect(completion.values).toEqual(['Eve'])
  })

  it('reads resources and templates', async () => {
    const { resourceTemplates } = await client.listResourceTemplates()
    expect(resourceTemplates.map(one => one.uriTemplate)).toContain(
      'demo://resource/dynamic/text/{resourceId}',
    )
    const { contents } = await client.readResource({ uri: 'demo://resource/dynamic/text/7' })
    expect(contents[0]).toMatchObject({ uri: 'demo://resource/dynamic/text/7' })
    const { resources } = await client.listResources()
    expect(resources.map(one => one.uri)).toContain(FEATURES)
  })
})

describe('server-everything and a client that can do everything', () => {
  const roots = [{ uri: 'file:///workspace', name: 'Workspace' }]
  const logged: unknown[] = []
  const updated: string[] = []
  let changes = 0
  let client: Client

  beforeAll(async () => {
    client = await connect({
      url: url('streamable-http'),
      token: gateway.token,
      mode: 'legacy',
      capabilities: { elicitation: {}, sampling: {}, roots: { listChanged: true } },
      prepare: one => {
        one.setRequestHandler('roots/list', () => ({ roots }))
        one.setRequestHandler('elicitation/create', ({ params }) => ({
          action: 'accept',
          content: { name: params.message, integer: 7 },
        }))
        one.setRequestHandler('sampling/createMessage', ({ params }) => ({
          role: 'assistant',
          model: 'parrot',
          content: { type: 'text', text: `You said ${JSON.stringify(params.messages[0]?.content)}` },
        }))
        one.setNotificationHandler('notifications/message', ({ params }) => void logged.push(params.data))
        one.setNotificationHandler(
          'notifications/resources/updated',
          ({ params }) => void updated.push(params.uri),
        )
        one.setNotificationHandler('notifications/resources/list_changed', () => void changes++)
      },
    })
    // What the server says unasked needs the client's GET stream, which opens a moment after connecting.
    await eventually(async () => {
      await client.subscribeResource({ uri: FEATURES })
      return logged.length > 0
    })
  })
  afterAll(() => client?.close())

  it('offers the tools that need those abilities', async () => {
    const names = (await client.listTools()).tools.map(one => one.name)
    expect(names).toEqual(
      expect.arrayContaining(['trigger-elicitation-request', 'trigger-sampling-request', 'get-roots-list']),
    )
  })

  it('asks the person', async () => {
    const result = await client.callTool({ name: 'trigger-elicitation-request' })
    expect(textOf(result)).toContain('- Name: Please provide inputs for the following fields:')
    expect(textOf(result)).toContain('- Favorite Integer: 7')
  })

  it('asks the model', async () => {
    const result = await client.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'polly' } })
    expect(textOf(result)).toContain('"model": "parrot"')
    expect(textOf(result)).toContain('context: polly')
  })

  it('asks for the roots, and again when they change', async () => {
    expect(textOf(await client.callTool({ name: 'get-roots-list' }))).toContain('URI: file:///workspace')
    roots.push({ uri: 'file:///more', name: 'More' })
    await client.sendRootsListChanged()
    await eventually(async () =>
      textOf(await client.callTool({ name: 'get-roots-list' })).includes('URI: file:///more'),
    )
  })

  it('logs from the level that was set', async () => {
    await client.setLoggingLevel('emergency')
    logged.length = 0
    updated.length = 0
    await client.subscribeResource({ uri: FEATURES })
    await client.callTool({ name: 'toggle-subscriber-updates' })
    await eventually(() => updated.length > 0)
    expect(logged).toEqual([])
    await client.callTool({ name: 'toggle-subscriber-updates' })

    await client.setLoggingLevel('info')
    await client.subscribeResource({ uri: FEATURES })
    await eventually(() => logged.some(line => String(line).includes(FEATURES)))
  })

  it('tells when a subscribed resource is updated, and no more after unsubscribing', async () => {
    const other = 'demo://resource/dynamic/text/9'
    await client.subscribeResource({ uri: other })
    await client.unsubscribeResource({ uri: FEATURES })
    updated.length = 0
    await client.callTool({ name: 'toggle-subscriber-updates' })
    await eventually(() => updated.length > 0)
    await client.callTool({ name: 'toggle-subscriber-updates' })
    expect(new Set(updated)).toEqual(new Set([other]))
  })

  it('tells when the list of resources changes', async () => {
    changes = 0
    await client.callTool({
      name: 'gzip-file-as-resource',
      arguments: { name: 'note.gz', data: 'data:text/plain,through%20the%20gate' },
    })
    await eventually(() => changes > 0)
    const { contents } = await client.readResource({ uri: 'demo://resource/session/note.gz' })
    const [content] = contents
    const blob = content && 'blob' in content ? content.blob : ''
    expect(gunzipSync(Buffer.from(blob, 'base64')).toString()).toBe('through the gate')
  })

  it('lets a client cancel a call and goes on', async () => {
    const leaving = new AbortController()
    const call = client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 60, steps: 600 } },
      { signal: leaving.signal, onprogress: () => leaving.abort('no longer needed') },
    )
    await expect(call).rejects.toThrow('no longer needed')
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'alive' } }))).toBe(
      'Echo: alive',
    )
  })
})

/** Looks again until it is so. */
async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`never became so: ${isSo}`)
    await sleep(50)
  }
}
