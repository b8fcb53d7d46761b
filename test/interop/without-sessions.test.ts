/** A server on SDK v2 that refuses sessions, for clients on SDK v2 that know nothing else. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Gateway, oneGroup, startGateway } from '../fixtures/gateway.ts'
import { connect, textOf } from '../fixtures/sdk-client.ts'
import { type Served, startConformanceServer } from '../fixtures/servers.ts'

let fixture: Served
let gateway: Gateway

beforeAll(async () => {
  fixture = await startConformanceServer('stateless')
  gateway = await startGateway({ manifest: oneGroup('lab', { modern: fixture.transport }) })
})

afterAll(async () => {
  await gateway?.stop()
  await fixture?.stop()
})

const capabilities = { elicitation: {}, sampling: {}, roots: {} }

const opened = () =>
  connect({
    url: `${gateway.url}/mcp/lab/modern/server`,
    token: gateway.token,
    mode: 'legacy',
    capabilities,
    prepare(client) {
      client.setRequestHandler('elicitation/create', ({ params }) => {
        const isColor = 'message' in params && params.message.includes('color')
        return { action: 'accept', content: isColor ? { color: 'green' } : { name: 'Ana', ok: true } }
      })
      client.setRequestHandler('sampling/createMessage', () => ({
        model: 'none',
        role: 'assistant',
        content: { type: 'text', text: 'Good day' },
      }))
      client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///a' }, { uri: 'file:///b' }] }))
    },
  })

describe('a client of sessions', () => {
  it.each([
    ['elicitation', 'Hello, Ana!'],
    ['sampling', 'Good day'],
    ['list_roots', 'Roots: file:///a, file:///b'],
    ['request_state', 'state-ok'],
    ['multiple_inputs', 'Good day Ana, you have 2 roots.'],
    ['multi_round', 'Ana likes green.'],
    ['capabilities', 'Thank you.'],
  ])('is asked by the tool for %s', async (name, expected) => {
    const client = await opened()
    try {
      expect(client.getNegotiatedProtocolVersion()).toBe('2025-11-25')
      expect(client.getServerVersion()).toMatchObject({ name: 'conformance-fixture' })
      const result = await client.callTool({ name: `test_input_required_result_${name}` })
      expect(textOf(result)).toBe(expected)
    } finally {
      await client.close()
    }
  })

  it('hears of progress, and of the log when it wants to', async () => {
    const client = await opened()
    const heard: unknown[] = []
    client.setNotificationHandler('notifications/message', ({ params }) => void heard.push(params.level))
    try {
      const onprogress = vi.fn()
      await client.callTool({ name: 'test_tool_with_progress' }, { onprogress })
      expect(onprogress.mock.calls.length).toBeGreaterThanOrEqual(3)
      await client.callTool({ name: 'test_tool_with_logging' })
      expect(heard).toEqual([])
      await client.setLoggingLevel('info')
      await client.callTool({ name: 'test_tool_with_logging' })
      expect(heard.length).toBeGreaterThanOrEqual(3)
    } finally {
      await client.close()
    }
  })

  it('hears of resources and lists', async () => {
    const client = await opened()
    const heard: string[] = []
    client.setNotificationHandler(
      'notifications/resources/updated',
      ({ params }) => void heard.push(params.uri),
    )
    client.setNotificationHandler('notifications/tools/list_changed', () => void heard.push('tools'))
    try {
      await client.subscribeResource({ uri: 'test://watched-resource' })
      const uri = 'test://watched-resource'
      await client.callTool({ name: 'test_trigger_resource_update', arguments: { uri } })
      await vi.waitFor(() => expect(heard).toEqual([uri]))
      await client.callTool({ name: 'test_trigger_tool_change' })
      await vi.waitFor(() => expect(heard).toEqual(['test://watched-resource', 'tools']))
      await client.unsubscribeResource({ uri: 'test://watched-resource' })
    } finally {
      await client.close()
    }
  })
})
