/** The literal signatures are those of AWS: its test suite for Signature Version 4, and the example of the IAM User Guide. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiOf, tokenFor } from '../../test/fixtures/api.ts'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'
import { call } from '../../test/fixtures/http-call.ts'
import { answerOf, inEra } from '../../test/fixtures/mcp-call.ts'
import { type AwsKeys, signedHeaders } from './aws-signature.ts'

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const at = Date.UTC(2015, 7, 30, 12, 36)

function signature(
  method: string,
  path: string,
  { host = 'example.amazonaws.com', service = 'service', headers = [] as string[] } = {},
) {
  const signed = signedHeaders(
    { method, host, path, headers, body: null },
    keys,
    { region: 'us-east-1', service },
    at,
  )
  return /Signature=([0-9a-f]{64})$/.exec(signed.at(-1) ?? '')?.[1]
}

it.each([
  ['get-vanilla', 'GET', '/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  ['post-vanilla', 'POST', '/', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  ['get-utf8', 'GET', '/ሴ', '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85'],
  ['get-slashes', 'GET', '//', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  [
    'get-vanilla-query-order-key-case',
    'GET',
    '/?Param2=value2&Param1=value1',
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
])('signs %s as AWS does', (_, method, path, expected) => {
  expect(signature(method, path)).toBe(expected)
})

it('signs what the body is', () => {
  const headers = [
    'Content-Type',
    'application/x-www-form-urlencoded; charset=utf-8',
    'X-Other',
    'not signed',
  ]
  const path = '/?Action=ListUsers&Version=2010-05-08'
  expect(signature('GET', path, { host: 'iam.amazonaws.com', service: 'iam', headers })).toBe(
    '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
  )
})

describe('a server that takes signed requests only', () => {
  let gateway: GatewayInside
  let url: string
  let token: string
  const came: { method: string; by: string; session: unknown; owner: unknown }[] = []
  const known: Record<string, AwsKeys> = {
    AKIASHARED: { accessKeyId: 'AKIASHARED', secretAccessKey: 'shared/secret' },
    AKIAANA: { accessKeyId: 'AKIAANA', secretAccessKey: 'of-ana', sessionToken: 'temporary' },
  }

  /** Who signed it, by signing again what came. */
  async function signer(request: IncomingMessage): Promise<{ by: string; body: Buffer }> {
    const body = await buffer(request)
    const { authorization = '', host = '', 'x-amz-date': date = '' } = request.headers
    const [, id = ''] = /Credential=([^/]+)\//.exec(authorization) ?? []
    const own = known[id]
    if (own === undefined) return { by: '', body }
    const headers = Object.entries(request.headers).flatMap(([name, value]) =>
      name.startsWith('x-amz-') || name === 'host' ? [] : [name, String(value)],
    )
    const day = String(date).replace(/^(.{4})(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z')
    const signable = { method: request.method ?? '', host, path: request.url ?? '', headers, body }
    const again = signedHeaders(
      signable,
      own,
      { region: 'eu-central-1', service: 'bedrock-agentcore' },
      Date.parse(day),
    )
    const isRecent = Math.abs(Date.parse(day) - Date.now()) < 60_000
    const isWhole = request.headers['x-amz-security-token'] === own.sessionToken
    return { by: isRecent && isWhole && again.at(-1) === authorization ? id : '', body }
  }

  const server = createServer(async (request, response) => {
    const { by, body } = await signer(request)
    came.push({
      method: request.method ?? '',
      by,
      session: request.headers['mcp-session-id'],
      owner: request.headers['x-owner'],
    })
    if (by === '') return void response.writeHead(403).end()
    if (request.method !== 'POST')
      return void response.writeHead(request.method === 'DELETE' ? 200 : 405).end()
    const { id, method } = JSON.parse(body.toString())
    if (id === undefined) return void response.writeHead(202).end()
    const results: Record<string, unknown> = {
      initialize: {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'signed', version: '1' },
      },
      'tools/list': { tools: [{ name: 'who', inputSchema: { type: 'object' } }] },
      'tools/call': { content: [{ type: 'text', text: by }] },
      ping: {},
    }
    const result = results[method]
    const more = method === 'initialize' ? { 'mcp-session-id': 'one' } : {}
    response.writeHead(200, { 'content-type': 'application/json', ...more })
    const error = { code: -32601, message: 'no' }
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...(result === undefined ? { error } : { result }) }))
  })

  beforeAll(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/runtimes/arn%3Aaws%3Aagent/invocations?qualifier=DEFAULT`
    gateway = await openGatewayInside()
    await gateway.operator('POST /groups', { name: 'lab' })
    await gateway.operator('POST /users', { email: 'ana@example.com' })
    await gateway.operator('POST /groups/lab/grants', { subject: 'everyone' })
    token = (await tokenFor(gateway.operator, 'user:ana@example.com')).token
  })

  afterAll(async () => {
    await gateway.stop()
    server.closeAllConnections()
    server.close()
  })

  const auth = { kind: 'aws-sigv4', region: 'eu-central-1', service: 'bedrock-agentcore' }

  async function register(name: string, more: object): Promise<void> {
    const transport = { kind: 'streamable-http', url, allowPrivateNetwork: true }
    await gateway.operator('POST /servers', { group: 'lab', name, transport, auth: { ...auth, ...more } })
  }

  async function called(name: string, headers = {}): Promise<string> {
    const said = { id: 1, method: 'tools/call', params: { name: 'who', arguments: {} } }
    const to = inEra('stateless', said)
    const answer = answerOf(
      await call(`${gateway.url}/mcp/lab/${name}/server`, {
        ...to,
        token,
        headers: { ...to.headers, ...headers },
      }),
    )
    return JSON.stringify(answer.result ?? answer.error)
  }

  it('is asked with the keys of the gateway: every request, each with its own signature', async () => {
    await register('shared', { accessKeyId: 'AKIASHARED', secretAccessKey: 'shared/secret' })
    came.length = 0
    expect(await called('shared')).toContain('AKIASHARED')
    expect(await called('shared', { 'x-gatehouse-mcp-headers': '{"x-owner":"ana"}' })).toContain('AKIASHARED')
    expect(came.length).toBeGreaterThan(3)
    expect(came.filter(({ by }) => by !== 'AKIASHARED')).toEqual([])
    expect(came.some(({ owner }) => owner === 'ana')).toBe(true)
    const shown = JSON.stringify(await gateway.operator('GET /servers/lab/shared'))
    expect(shown).not.toContain('shared/secret')
    // What is signed is the gateway's own: a client that brings some of it goes alone.
    expect(await called('shared', { 'x-gatehouse-mcp-headers': '{"x-amz-target":"Other"}' })).not.toContain(
      'AKIA',
    )
  })

  it('is asked with the keys of each person, and of nobody else', async () => {
    const fields = { ID: { title: 'Access key id' } }
    const own = { accessKeyId: '{{ID}}', secretAccessKey: '{{SECRET}}', sessionToken: '{{TOKEN}}' }
    await register('own', { ...own, credentials: 'per-user', fields })
    expect(await called('own')).toContain('/connect/lab/own')
    const give = (values: object) =>
      apiOf(gateway.url, token)('PUT /connections', { server: 'lab/own', values })
    for (const wrong of ['a\r\nHost: evil', 'ünd'])
      await expect(give({ ID: wrong, SECRET: 's', TOKEN: 't' })).rejects.toThrow(/: 400 /)
    await give({ ID: 'AKIAANA', SECRET: 'of-ana', TOKEN: 'temporary' })
    expect(await called('own')).toContain('AKIAANA')
    await give({ ID: 'AKIAANA', SECRET: 'wrong', TOKEN: 'temporary' })
    expect(await called('own')).not.toContain('AKIAANA')
  })

  it.each([
    ['no secret', { accessKeyId: 'a' }],
    ['a region that is none', { region: 'EU/../x', accessKeyId: 'a', secretAccessKey: 'b' }],
    ['a key with a line break', { accessKeyId: 'a\r\nHost: evil', secretAccessKey: 'b' }],
    ['a place for a value of nobody', { accessKeyId: '{{ID}}', secretAccessKey: 'b' }],
  ])('is not registered with %s', async (_, more) => {
    await expect(register('odd', more)).rejects.toThrow(/: 400 /)
  })
})
