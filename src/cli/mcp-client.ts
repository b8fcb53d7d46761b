/** MCP as any client speaks it: commands go through the same door as everybody. */
import {
  Client,
  ProtocolError,
  SdkHttpError,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { fail, GatewayError } from '../foundation/errors.ts'
import { isObject } from '../foundation/json.ts'
import { version } from '../foundation/version.ts'
import type { Address } from './address.ts'
import { ToldError } from './command-error.ts'
import type { Reach } from './reach.ts'

/** Does work with a client that is connected to one address. Errors of the gateway come out as the gateway told them. */
export async function withServer<T>(
  reach: Reach,
  { path }: Pick<Address, 'path'>,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const headers: Record<string, string> = {}
  if (reach.token !== undefined) headers.authorization = `Bearer ${reach.token.reveal()}`
  const url = reach.url(path)
  const transport = new StreamableHTTPClientTransport(url, { fetch: reach.fetch, requestInit: { headers } })
  const client = new Client({ name: 'gatehouse', version }, { versionNegotiation: { mode: 'auto' } })
  try {
    await client.connect(transport)
    return await work(client)
  } catch (thrown) {
    return told(thrown, reach)
  } finally {
    // A session that could not be ended here ends by itself when it was idle for long.
    await transport.terminateSession().catch(() => undefined)
    await client.close()
  }
}

/** The gateway's own words in what the SDK throws: `error.data` of JSON-RPC, or the body of an HTTP error. */
function told(thrown: unknown, reach: Reach): never {
  if (thrown instanceof GatewayError) throw thrown
  if (thrown instanceof ProtocolError) {
    const face = isObject(thrown.data) ? thrown.data : {}
    throw new ToldError({
      title: thrown.message,
      why: thrown.message,
      fix: 'Correct the call.',
      code: 'mcp.error',
      ...face,
    })
  }
  if (thrown instanceof SdkHttpError) throw new ToldError({ title: thrown.message, ...bodyOf(thrown) })
  if (thrown instanceof TypeError || (thrown instanceof Error && 'code' in thrown))
    return fail('cli.unreachable', {
      why: `Nothing answered at ${reach.name}: ${thrown.message}.`,
      cause: thrown,
    })
  throw thrown
}

function bodyOf(error: SdkHttpError): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(String(error.data?.text ?? ''))
    if (!isObject(body)) return {}
    const rpc = isObject(body.error) ? body.error : undefined
    return rpc === undefined ? body : { title: rpc.message, ...(isObject(rpc.data) ? rpc.data : {}) }
  } catch {
    return { status: error.status }
  }
}
