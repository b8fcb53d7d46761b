import { describe, expect, it } from 'vitest'
import { toolCall } from '../../fixtures/audit-event.ts'
import type { Tried, Visited } from './clients/client-kind.ts'
import { judge } from './judge.ts'

const visited: Visited = {
  server: 'everything-http',
  connected: true,
  tools: ['echo'],
  text: 'Echo: ola',
  error: null,
}
const call = toolCall({ target: 'lab/everything-http', subject: 'echo', outcome: 'ok', era: 'stateless' })
const cellOf = (...[told, events]: [Partial<Visited>, (typeof call)[]]) =>
  judge({ visited: [{ ...visited, ...told }], tried: [] }, events).cells['everything-http']

describe('a cell', () => {
  it('is good when the client and the audit say so', () => {
    expect(cellOf({}, [call])).toEqual({
      connect: true,
      list: true,
      call: true,
      era: 'stateless',
      error: null,
      words: null,
    })
  })

  it('is not good on the word of the client alone', () => {
    expect(cellOf({}, [])).toMatchObject({ connect: false, list: false, call: false })
    expect(cellOf({}, [{ ...call, subject: 'get-sum' }])).toMatchObject({ list: true, call: false })
    expect(cellOf({}, [{ ...call, outcome: 'rejected' }])).toMatchObject({ connect: false })
    expect(cellOf({}, [{ ...call, target: 'lab/memory' }])).toMatchObject({ connect: false })
  })

  it('is not good with another answer or another list', () => {
    expect(cellOf({ text: 'Echo: adieu' }, [call])).toMatchObject({ call: false, words: 'Echo: adieu' })
    expect(cellOf({ tools: ['get-sum'] }, [call])).toMatchObject({ connect: true, list: false })
  })

  it('says why in the words of the gateway, without what differs from run to run', () => {
    const refused = { ...call, outcome: 'rejected' as const, error: 'mcp.era_unsupported' }
    const error = 'HTTP 400 at http://127.0.0.1:4711/mcp\nrequest 0199aaaa-0000-7000-8000-000000000001'
    expect(cellOf({ connected: false, tools: [], text: '', error }, [refused])).toMatchObject({
      error: 'mcp.era_unsupported',
      words: 'HTTP 400 at <gateway>/mcp request <id>',
    })
  })
})

describe('a feature', () => {
  const tried: Tried = {
    server: 'everything-http',
    feature: 'progress',
    offered: true,
    text: 'Long running operation completed. Duration: 0.4 seconds',
    seen: 4,
    error: null,
  }
  const subject = 'trigger-long-running-operation'
  const okOf = (...[told, outcome]: [Partial<Tried>, (typeof call)['outcome']]) => {
    const one = { ...tried, ...told }
    const { features } = judge({ visited: [], tried: [one] }, [{ ...call, subject, outcome }])
    return features['everything-http']?.[one.feature]?.ok
  }

  it('needs the client to have seen it', () => {
    expect(okOf({}, 'ok')).toBe(true)
    expect(okOf({ seen: 0 }, 'ok')).toBe(false)
    expect(okOf({ offered: false }, 'ok')).toBe(false)
  })

  it('is a cancelled call when the audit has it as cancelled', () => {
    const cancelled = { feature: 'cancellation', text: '', error: 'aborted' }
    expect(okOf({ ...cancelled }, 'cancelled')).toBe(false)
    const { features } = judge({ visited: [], tried: [{ ...tried, ...cancelled, text: null }] }, [
      { ...call, subject, outcome: 'cancelled' },
    ])
    expect(features['everything-http']?.cancellation?.ok).toBe(true)
  })
})
