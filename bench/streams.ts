/** `--streams`: what 2,000 idle streams (subscriptions/listen) cost each target in memory. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Address, headersOf, protocolVersion } from './calls.ts'
import type { Options } from './options.ts'
import { usageOf } from './proc.ts'
import { startTargets, type Target } from './targets.ts'

const streamCount = 2000
const atOnce = 50

function listenRequest(address: Address, id: number): string {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id,
    method: 'subscriptions/listen',
    params: {
      notifications: { toolsListChanged: true },
      _meta: {
        'io.modelcontextprotocol/protocolVersion': protocolVersion,
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  })
  const headers = {
    Host: `127.0.0.1:${address.port}`,
    Authorization: address.authorization,
    ...headersOf('subscriptions/listen'),
    'Content-Length': String(Buffer.byteLength(body)),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return [`POST ${address.path} HTTP/1.1`, ...lines, '', body].join('\r\n')
}

/** Open once the acknowledgement has come. */
function openStream(address: Address, id: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(address.port, '127.0.0.1', () => socket.write(listenRequest(address, id)))
    let seen = ''
    socket.setTimeout(10_000, () => socket.destroy(new Error('no acknowledgement within 10 s')))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed before it was acknowledged: ${seen.slice(0, 300)}`)))
    socket.on('data', chunk => {
      seen += chunk.toString('latin1')
      if (!seen.includes('notifications/subscriptions/acknowledged')) return
      socket.setTimeout(0)
      socket.removeAllListeners('data')
      socket.resume()
      resolve(socket)
    })
  })
}

async function openMany(address: Address, count: number): Promise<Socket[]> {
  const streams: Socket[] = []
  while (streams.length < count) {
    const batch = Array.from({ length: atOnce }, (_, index) =>
      openStream(address, streams.length + index + 1),
    )
    streams.push(...(await Promise.all(batch)))
  }
  return streams
}

async function measureTarget({ name, pid, address }: Target) {
  // A first batch pays for what is needed once: code, buffers, pools.
  for (const stream of await openMany(address, atOnce)) stream.destroy()
  await sleep(1000)
  const before = usageOf(pid).residentBytes
  const streams = await openMany(address, streamCount)
  await sleep(2000)
  const after = usageOf(pid).residentBytes
  const alive = streams.filter(stream => !stream.destroyed).length
  for (const stream of streams) stream.destroy()
  return {
    target: name,
    streams: alive,
    kilobytesPerStream: Math.round((after - before) / streamCount / 100) / 10,
  }
}

export async function measureStreams({ withGateway, json }: Options): Promise<void> {
  const rows = []
  for (const target of await startTargets(withGateway)) {
    const row = await measureTarget(target)
    rows.push(row)
    if (row.streams < streamCount) process.exitCode = 1
    console.error(`${row.target}: ${row.streams} of ${streamCount} open, ${row.kilobytesPerStream} KB each`)
  }
  if (json) console.log(JSON.stringify(rows))
}
