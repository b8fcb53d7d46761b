import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { openDeadlines } from './deadlines.ts'
import { openWire, type Wire, type WireFlight } from './wire.ts'

/** A wire with one connection to a server that says hello, and a count of the connections it took. */
async function openOne(): Promise<{ wire: Wire; connections(): number }> {
  let connections = 0
  const server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
  server.on('connection', () => connections++)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/`
  const deadlines = openDeadlines()
  const transport = { kind: 'streamable-http', url, allowPrivateNetwork: true } as const
  const wire = openWire(transport, { connectSeconds: 5, connections: 1 }, deadlines)
  onTestFinished(async () => {
    await wire.close()
    deadlines.close()
    server.close()
  })
  return { wire, connections: () => connections }
}

/** Asks; `reading` is what happens at every piece of the answer. */
function ask(wire: Wire, reading: (flight: WireFlight) => void = () => {}): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const flight = wire.send(
      { method: 'GET', headers: [], body: null, total: 5000 },
      {
        head: () => {},
        chunk: bytes => {
          text += bytes.toString()
          reading(flight)
        },
        end: () => resolve(text),
        broken: reject,
      },
    )
  })
}

it('a reader who paused at the end of its answer does not hold up the next on the same connection', async () => {
  const { wire, connections } = await openOne()
  expect(await ask(wire, flight => flight.pause())).toBe('hello')
  expect(await ask(wire)).toBe('hello')
  expect(connections()).toBe(1)
})

it('who was answered can pause nobody else', async () => {
  const { wire } = await openOne()
  let first: WireFlight | undefined
  await ask(wire, flight => {
    first = flight
  })
  const second = ask(wire)
  first?.pause()
  expect(await second).toBe('hello')
})
