/** Sockets: TCP for clients, one local socket for commands of this machine; and how they end without cutting anybody off. */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isAnswering } from './data-directory.ts'
import type { Handler } from './dispatch.ts'
import { fail } from './foundation/errors.ts'

export type ListenOptions = {
  readonly handle: Handler
  /** Tells open streams (subscriptions, session streams) to end, when a drain begins. */
  endStreams(): void
  /** Where to listen over TCP; absent for a gateway that serves one local command. */
  readonly tcp?: { readonly host: string; readonly port: number } | undefined
  /** Where commands of this machine come in. */
  readonly socketPath: string
}

export type Listening = {
  /** The address clients reach over TCP, such as `http://127.0.0.1:4000`. */
  readonly url: string | undefined
  /** Stops accepting, lets requests in flight finish for so long, then cuts what is left. */
  drain(graceSeconds: number): Promise<void>
  /** Cuts every connection at once. */
  cut(): void
}

/** Opens the sockets. Throws `config.cannot_listen` or `config.in_use`. */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { socketPath } = options
  const local = newServer((request, response) => options.handle(request, response, 'local'))
  await listenLocally(local, socketPath)
  if (options.tcp === undefined) return { url: undefined, ...ending([local], options) }
  const tcp = newServer((request, response) => options.handle(request, response, 'tcp'))
  try {
    await opened(tcp, () => tcp.listen(options.tcp))
  } catch (cause) {
    local.close()
    return cannotListen(cause, `${options.tcp.host}:${options.tcp.port}`)
  }
  return { url: urlOf(tcp, options.tcp.host), ...ending([tcp, local], options) }
}

/** Slow senders are cut; answers are not limited here, for a stream may stay open as long as its caller likes. */
function newServer(listener: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = createServer({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 60_000,
    connectionsCheckingInterval: 2_000,
    maxHeaderSize: 32 * 1024,
  })
  followSilent(server)
  server.on('request', listener)
  return server
}

async function listenLocally(server: Server, socketPath: string): Promise<void> {
  if (await isAnswering(socketPath)) fail('config.in_use', { why: `A gateway answers on ${socketPath}.` })
  if (process.platform === 'win32') return opened(server, () => server.listen(socketPath))
  if (Buffer.byteLength(socketPath) > 103)
    fail('config.cannot_listen', {
      why: `The path ${socketPath} is too long for a socket.`,
      fix: 'Choose a data directory with a shorter path.',
    })
  rmSync(socketPath, { force: true })
  try {
    await opened(server, () => listenPrivately(server, socketPath))
  } catch (cause) {
    cannotListen(cause, socketPath)
  }
  chmodSync(socketPath, 0o600)
}

/** Binding happens within the call, so the mask makes the socket private from its first moment. */
function listenPrivately(server: Server, socketPath: string): void {
  const before = process.umask(0o177)
  try {
    server.listen(socketPath)
  } finally {
    process.umask(before)
  }
}

function opened(server: Server, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      resolve()
    })
    start()
  })
}

function cannotListen(cause: unknown, address: string): never {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EADDRINUSE')
    fail('config.cannot_listen', {
      why: `Something else listens at ${address}.`,
      fix: 'Choose another with --port.',
    })
  return fail('config.cannot_listen', { why: `Listening at ${address} failed (${String(code)}).`, cause })
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function ending(servers: readonly Server[], { endStreams }: ListenOptions): Pick<Listening, 'drain' | 'cut'> {
  const cut = () => {
    for (const server of servers) server.closeAllConnections()
  }
  const closeIdle = () => {
    for (const server of servers) {
      server.closeIdleConnections()
      for (const socket of silent.get(server) ?? []) socket.destroy()
    }
  }
  return {
    cut,
    async drain(graceSeconds) {
      const ended = servers.map(server => new Promise<void>(resolve => server.close(() => resolve())))
      endStreams()
      // A connection that becomes idle from now on is of no more use.
      const sweep = setInterval(closeIdle, 50)
      const deadline = setTimeout(cut, graceSeconds * 1000)
      await Promise.all(ended)
      clearInterval(sweep)
      clearTimeout(deadline)
    },
  }
}

/** Of each server the connections that have not asked anything yet, which Node does not count as idle. */
const silent = new WeakMap<Server, Set<Socket>>()

function followSilent(server: Server): void {
  const sockets = new Set<Socket>()
  silent.set(server, sockets)
  server.on('connection', socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('request', request => sockets.delete(request.socket))
}
