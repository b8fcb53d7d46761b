/** The least a Node gateway can do: a node:http server that pipes every request to one upstream and pipes the answer back. */
import { Agent, createServer, request } from 'node:http'
import { announcePort } from './child.ts'

const upstreamPort = Number(process.argv[2])
const agent = new Agent({ keepAlive: true, maxFreeSockets: 4096 })

const server = createServer((incoming, outgoing) => {
  const { method, url, headers } = incoming
  const upstream = request(
    { host: '127.0.0.1', port: upstreamPort, agent, method, path: url, headers },
    answer => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    },
  )
  upstream.on('error', () => outgoing.destroy())
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) upstream.destroy()
  })
  incoming.pipe(upstream)
})

announcePort(server)
