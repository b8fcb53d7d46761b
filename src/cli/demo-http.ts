import { createConnection, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail } from '../foundation/errors.ts'
import type { Processes } from '../upstreams/index.ts'
import { commandOf } from './demo-servers.ts'

/** Starts the reference server over HTTP on a free port of this machine; returns its URL once it answers. */
export async function startHttpServer(processes: Processes): Promise<string> {
  const port = await freePort()
  const { command, args } = commandOf('everything')
  const preload = new URL('./demo-loopback.ts', import.meta.url).href
  let why: string | undefined
  processes.start(
    {
      command,
      args: [...args, 'streamableHttp'],
      env: { PORT: String(port), NODE_OPTIONS: `--import=${preload}` },
    },
    {
      line: () => undefined,
      ended: end => {
        why = end.why
      },
    },
  )
  const until = performance.now() + 30_000
  while (!(await answers(port))) {
    if (why !== undefined || performance.now() > until)
      fail('upstream.process_failed', { why: why ?? 'It did not listen within 30 s.' })
    await sleep(50)
  }
  return `http://127.0.0.1:${port}/mcp`
}

function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer().on('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
  })
  return promise
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    }).on('error', () => resolve(false))
  })
}
