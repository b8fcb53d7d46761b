import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { call } from '../test/fixtures/http-call.ts'
import { dispatch } from './dispatch.ts'

const answered: number[] = []
const says = (plane: string, status: number) => (_: unknown, response: ServerResponse) =>
  void response.writeHead(status).end(plane)
const handle = dispatch({
  mcp: says('mcp', 200),
  http: says('http', 404),
  others: [
    { at: ['/sign-in', '/sign-out'], handle: says('sign-in', 303) },
    { at: ['/oauth', '/.well-known/oauth-protected-resource', '/token'], handle: says('oauth', 200) },
  ],
  answered: status => void answered.push(status),
})
const server = createServer((request, response) => handle(request, response, 'tcp'))
let url: string

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
})

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

it.each([
  ['/mcp', 'mcp'],
  ['/mcp/', 'mcp'],
  ['/mcp?a', 'mcp'],
  ['/mcp/lab/work/server', 'mcp'],
  ['/mcpx', 'http'],
  ['/', 'http'],
  ['/api/v1/claim', 'http'],
  ['/sign-in', 'sign-in'],
  ['/sign-in?return=/', 'sign-in'],
  ['/sign-in/callback?code=1', 'sign-in'],
  ['/sign-out', 'sign-in'],
  ['/sign-inside', 'http'],
  ['/oauth/token', 'oauth'],
  ['/.well-known/oauth-protected-resource/mcp/lab/work', 'oauth'],
  ['/.well-known/other', 'http'],
  ['/token?a=b', 'oauth'],
  ['/tokens', 'http'],
])('%s belongs to %s', async (path, plane) => {
  expect((await call(`${url}${path}`)).text).toBe(plane)
})

it('tells the status of every answer of the HTTP plane, once', async () => {
  answered.length = 0
  for (const path of ['/mcp', '/', '/mcp', '/other']) await call(`${url}${path}`)
  expect(answered).toEqual([404, 404])
})
