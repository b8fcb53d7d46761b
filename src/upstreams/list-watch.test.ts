import { describe, expect, it, vi } from 'vitest'
import { openAnnouncements } from '../foundation/announcements.ts'
import { markEquipped } from './equipped.ts'
import type { Outgoing, StatelessLink } from './link.ts'
import { type ListWatchParts, openListWatch } from './list-watch.ts'
import { noAuth, type Upstream } from './upstream.ts'

function server(id: string, transport: Partial<Upstream['transport']> = {}): Upstream {
  const url = { kind: 'streamable-http', url: 'http://127.0.0.1:9/', allowPrivateNetwork: true }
  const policy = { default: 'allow', allow: [], deny: [] }
  const about = { id, group: 'lab', name: id, description: '', auth: noAuth, policy, version: 1 }
  return { ...about, transport: { ...url, ...transport } } as Upstream
}

function openWatch() {
  const asked: Outgoing[] = []
  const aborted: Outgoing[] = []
  const link: StatelessLink = {
    request(outgoing) {
      asked.push(outgoing)
      const flight = { pause: () => {}, resume: () => {}, abort: () => void aborted.push(outgoing) }
      outgoing.sink.started(flight)
      return flight
    },
  }
  const announcements = openAnnouncements()
  const changed: string[] = []
  announcements.listen('catalogue.changed', ({ serverId }) => void changed.push(serverId))
  const parts: ListWatchParts = {
    catalogue: { eras: () => ['stateless'], learnEras: async () => ['stateless'] },
    connections: { stateless: async () => link },
    crossings: { stateless: () => link },
    announcements,
    equip: upstream =>
      markEquipped({
        upstream,
        principalId: 'gateway',
        credentials: { headers: [], environment: () => ({}) },
      }),
  }
  /** The server says something on the stream of a request. */
  const say = ({ sink, upstreamId }: Outgoing, method: string) => {
    const params = {
      notifications: { toolsListChanged: true },
      _meta: { 'io.modelcontextprotocol/subscriptionId': upstreamId },
    }
    sink.message(Buffer.alloc(0), { jsonrpc: '2.0', method, params })
  }
  return { watch: openListWatch(parts), asked, aborted, changed, say }
}

const acknowledged = 'notifications/subscriptions/acknowledged'
const settled = () => new Promise(resolve => setImmediate(resolve))

describe('watching lists', () => {
  it('takes one stream for a server, however many want to know, and ends it with the last of them', async () => {
    const { watch, asked, aborted, changed, say } = openWatch()
    const one = server('one')
    const watching = [watch.watch([one]), watch.watch([one, server('two')])]
    await settled()
    expect(asked).toHaveLength(2)
    for (const outgoing of asked) say(outgoing, acknowledged)
    await Promise.all(watching.map(({ begun }) => begun))
    for (const outgoing of asked) say(outgoing, 'notifications/tools/list_changed')
    expect(changed).toEqual(['one', 'two'])
    watching[0]?.stop()
    watching[0]?.stop()
    expect(aborted).toEqual([])
    watching[1]?.stop()
    expect(aborted).toHaveLength(2)
  })

  it('looks when a stream is lost, and again when it is open again, but not where there is no such thing', async () => {
    vi.useFakeTimers()
    try {
      const { watch, asked, changed, say } = openWatch()
      const { stop } = watch.watch([server('one')])
      await vi.advanceTimersByTimeAsync(0)
      const [first] = asked
      if (first === undefined) throw new Error('nothing was asked')
      say(first, acknowledged)
      first.sink.answer(Buffer.alloc(0), { jsonrpc: '2.0', id: 0, result: {} }, 200)
      expect(changed).toEqual(['one'])
      await vi.advanceTimersByTimeAsync(600)
      const [, second] = asked
      if (second === undefined) throw new Error('it was not asked again')
      say(second, acknowledged)
      expect(changed).toEqual(['one', 'one'])
      second.sink.answer(Buffer.alloc(0), { jsonrpc: '2.0', id: 0, error: { code: -32601 } }, 404)
      await vi.advanceTimersByTimeAsync(60_000)
      expect(asked).toHaveLength(2)
      stop()
    } finally {
      vi.useRealTimers()
    }
  })

  it('starts no process to listen to it', async () => {
    const { watch, asked } = openWatch()
    await watch.watch([server('one', { kind: 'stdio' })]).begun
    expect(asked).toEqual([])
  })
})
