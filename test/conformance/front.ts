/**
 * What the conformance runner lacks is a token: this front adds it and passes everything else through as it comes,
 * the Host and the Origin included, so that foreign ones arrive as foreign.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'

export type Front = { readonly url: string; close(): Promise<void> }

export async function startFront(gateway: { url: string; token: string }): Promise<Front> {
  const server = createServer((incoming, answer) => pass(incoming, answer, gateway))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function pass(
  incoming: IncomingMessage,
  answer: ServerResponse,
  { url, token }: { url: string; token: string },
): void {
  const { hostname, port } = new URL(url)
  const headers = [...incoming.rawHeaders, 'Authorization', `Bearer ${token}`]
  const outgoing = send({
    hostname,
    port,
    method: incoming.method,
    path: incoming.url,
    headers,
    agent: false,
  })
  outgoing.on('response', response => {
    answer.writeHead(response.statusCode ?? 502, response.rawHeaders)
    answer.flushHeaders()
    response.on('error', () => answer.destroy()).pipe(answer)
  })
  outgoing.on('error', () => answer.destroy())
  answer.on('close', () => outgoing.destroy())
  incoming.pipe(outgoing)
}
