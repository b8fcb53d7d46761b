/**
 * `--streams`: what idle streams cost each target in memory. Of the stateless era they are subscriptions/listen, of the session era
 * the GET streams of as many sessions; both with one connection from the client and one to the server. Node collects its garbage before
 * either reading, so that what is measured is what the streams need and not what opening them has left behind.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Address, envelope, headersOf, sessionHeaders } from './calls.ts'
import { startGateway } from './gateway.ts'
import type { Options } from './options.ts'
import { usageOf } from './proc.ts'
import { addressOf, freePort, openSession, startCellStubs, startTargets } from './targets.ts'

const atOnce = 50
const settleMs = 3000

/** What Node is started with here, so that it collects its garbage when it is told to. */
const collecting = `--import=${new URL('./collect-on-signal.mjs', import.meta.url).href}`

type Kind = 'listen' | 'get'
type Measured = { name: string; kind: Kind; pid: number; address: Address }

function bytesOf(line: string, { port, authorization }: Address, headers: object, body = ''): string {
  const all = { Host: `127.0.0.1:${port}`, Authorization: authorization, ...headers }
  return [line, ...Object.entries(all).map(([name, value]) => `${name}: ${value}`), '', body].join('\r\n')
}

function listenRequest(address: Address, id: number): string {
  const params = { notifications: { toolsListChanged: true }, _meta: envelope }
  const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'subscriptions/listen', params })
  const headers = { ...headersOf('subscriptions/listen'), 'Content-Length': Buffer.byteLength(body) }
  return bytesOf(`POST ${address.path} HTTP/1.1`, address, headers, body)
}

/** A session of its own for each, as clients have them. */
async function getRequest(address: Address): Promise<string> {
  const { 'Content-Type': _, ...headers } = sessionHeaders(await openSession(address))
  return `${bytesOf(`GET ${address.path} HTTP/1.1`, address, { ...headers, Accept: 'text/event-stream' })}\r\n`
}

// A listen is open with its acknowledgement, a GET stream with its head.
const signs: Record<Kind, string> = { listen: 'notifications/subscriptions/acknowledged', get: '\r\n\r\n' }

async function openStream({ kind, address }: Measured, id: number): Promise<Socket> {
  const request = kind === 'listen' ? listenRequest(address, id) : await getRequest(address)
  return new Promise((resolve, reject) => {
    const socket = connect(address.port, '127.0.0.1', () => socket.write(request))
    let seen = ''
    socket.setTimeout(10_000, () => socket.destroy(new Error('the stream did not open within 10 s')))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed before it was open: ${seen.slice(0, 300)}`)))
    socket.on('data', chunk => {
      seen += chunk.toString('latin1')
      if (!seen.includes(signs[kind])) return
      if (!seen.startsWith('HTTP/1.1 200')) return void socket.destroy()
      socket.setTimeout(0)
      socket.removeAllListeners('data')
      socket.resume()
      resolve(socket)
    })
  })
}

export async function openMany(target: Measured, count: number): Promise<Socket[]> {
  const streams: Socket[] = []
  while (streams.length < count) {
    const batch = Array.from({ length: Math.min(atOnce, count - streams.length) }, (_, index) =>
      openStream(target, streams.length + index + 1),
    )
    streams.push(...(await Promise.all(batch)))
  }
  return streams
}

async function settledBytes({ name, pid }: Measured): Promise<number> {
  await sleep(settleMs)
  // To nginx the signal means something else.
  if (name !== 'nginx') process.kill(pid, 'SIGUSR2')
  await sleep(settleMs)
  return usageOf(pid).residentBytes
}

async function measureTarget(target: Measured, count: number) {
  // A first batch pays for what is needed once: code, buffers, pools.
  for (const stream of await openMany(target, 10 * atOnce)) stream.destroy()
  const before = await settledBytes(target)
  const streams = await openMany(target, count)
  const after = await settledBytes(target)
  const alive = streams.filter(stream => !stream.destroyed).length
  for (const stream of streams) stream.destroy()
  const kilobytesPerStream = Math.round((after - before) / count / 100) / 10
  return { target: target.name, kind: target.kind, streams: alive, kilobytesPerStream }
}

/** The yardsticks and the gateway with listen streams, and a second gateway with GET streams, so that neither inherits memory. */
async function startMeasured({ withGateway, streams }: Options): Promise<Measured[]> {
  process.env.NODE_OPTIONS = collecting
  const settings = {
    NODE_OPTIONS: collecting,
    GATEHOUSE_LIMITS_SESSIONS_PER_PRINCIPAL: String(2 * streams + 10 * atOnce),
    GATEHOUSE_LIMITS_STREAMS_PER_PRINCIPAL: String(2 * streams + 10 * atOnce),
  }
  const targets = await startTargets({
    withGateway,
    cells: false,
    composed: false,
    jwt: false,
    accounts: false,
    against: undefined,
    settings,
  })
  const listening = targets.map(target => ({ ...target, kind: 'listen' as const }))
  if (!withGateway) return listening
  const gateway = await startGateway({
    port: await freePort(),
    servers: await startCellStubs(),
    settings,
  })
  const address = addressOf(gateway, 'session')
  return [...listening, { name: 'gateway', kind: 'get', pid: gateway.pid, address }]
}

export async function measureStreams(options: Options): Promise<void> {
  const rows = []
  for (const target of await startMeasured(options)) {
    const row = await measureTarget(target, options.streams)
    rows.push(row)
    if (row.streams < options.streams) process.exitCode = 1
    console.error(
      `${row.target} ${row.kind}: ${row.streams} of ${options.streams} open, ${row.kilobytesPerStream} KB each`,
    )
  }
  if (options.json) console.log(JSON.stringify(rows))
}
