import { describe, expect, it } from 'vitest'
import { GatewayError } from '../foundation/errors.ts'
import { classify } from './classify.ts'

const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: {} } }

function refusal(body: object): GatewayError | undefined {
  try {
    classify(body, {})
    return undefined
  } catch (error) {
    if (error instanceof GatewayError) return error
    throw error
  }
}

describe('a member in another spelling', () => {
  it.each<[string, object]>([
    ['another tool', { ...call, params: { ...call.params, Name: 'delete_everything' } }],
    ['another method', { ...call, METHOD: 'tools/call' }],
    ['other parameters', { ...call, Params: { name: 'delete_everything' } }],
    ['other parameters with the long s', { ...call, 'param\u017f': { name: 'delete_everything' } }],
    ['the id of somebody else', { ...call, ID: 2 }],
    [
      'the progress token of somebody else',
      { ...call, params: { ...call.params, _meta: { ProgressToken: 2 } } },
    ],
    ['meta that is not looked into', { ...call, params: { ...call.params, _Meta: { progressToken: 2 } } }],
    ['another resource', { ...call, method: 'resources/read', params: { uri: 'a://b', URI: 'a://c' } }],
    [
      'another reference',
      {
        ...call,
        method: 'completion/complete',
        params: { ref: { type: 'ref/prompt', name: 'a', Name: 'b' } },
      },
    ],
    [
      'a subscription',
      {
        ...call,
        method: 'subscriptions/listen',
        params: { notifications: { ResourceSubscriptions: ['a://b'] } },
      },
    ],
    ['a state nobody sealed', { ...call, params: { ...call.params, RequestState: 'a' } }],
    ['another task', { ...call, method: 'tasks/get', params: { taskId: 'a', TaskID: 'b' } }],
    [
      'another related task',
      {
        ...call,
        params: { _meta: { 'io.modelcontextprotocol/related-task': { taskId: 'a', TaskId: 'b' } } },
      },
    ],
    ['a notification made a request', { jsonrpc: '2.0', method: 'notifications/initialized', Id: 2 }],
    ['a response to another question', { jsonrpc: '2.0', id: 1, result: {}, Id: 2 }],
  ])('is refused: %s', (_, body) => {
    expect(refusal(body)).toMatchObject({ code: 'mcp.invalid_request' })
  })

  it('is the business of the tool within its arguments', () => {
    expect(
      refusal({ ...call, params: { ...call.params, arguments: { Name: 1, ID: 2, name: 3 } } }),
    ).toBeUndefined()
  })

  it('is only one where the protocol has such a member', () => {
    expect(
      refusal({ ...call, params: { ...call.params, Names: 1, _meta: { 'Com.Example/Name': 1 } } }),
    ).toBeUndefined()
  })
})
