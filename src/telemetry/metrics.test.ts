import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openMetrics } from './metrics.ts'

/** The value of one series; undefined when the text has no such line. */
function readSeries(text: string, series: string): number | undefined {
  const line = text.split('\n').find(each => each.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

const none = {
  sessions: () => 0,
  pooledSessions: () => 0,
  parkedCalls: () => 0,
  streams: () => 0,
  processes: () => 0,
  auditWaiting: () => 0,
}

describe('metrics', () => {
  it('have these names, on which dashboards depend', () => {
    const types = openMetrics()
      .text()
      .match(/^# TYPE .*$/gm)
    const metrics = openMetrics()
    metrics.gauges(none)
    expect(metrics.text().match(/^# TYPE .*$/gm)).toEqual([
      '# TYPE gatehouse_mcp_exchanges_total counter',
      '# TYPE gatehouse_mcp_exchange_seconds histogram',
      '# TYPE gatehouse_upstream_seconds histogram',
      '# TYPE gatehouse_upstream_repeats_total counter',
      '# TYPE gatehouse_http_requests_total counter',
      '# TYPE gatehouse_sessions gauge',
      '# TYPE gatehouse_pooled_sessions gauge',
      '# TYPE gatehouse_parked_calls gauge',
      '# TYPE gatehouse_streams gauge',
      '# TYPE gatehouse_processes gauge',
      '# TYPE gatehouse_audit_waiting_bytes gauge',
      '# TYPE process_cpu_seconds_total counter',
      '# TYPE process_resident_memory_bytes gauge',
      '# TYPE nodejs_heap_size_used_bytes gauge',
      '# TYPE process_start_time_seconds gauge',
    ])
    expect(types).not.toContain('# TYPE gatehouse_sessions gauge')
  })

  it('count exchanges by method and outcome, and methods nobody knows as one', () => {
    const metrics = openMetrics()
    metrics.exchange('tools/call', 'ok', 0.003, 0.002)
    metrics.exchange('tools/call', 'ok', 0.4, 0)
    metrics.exchange('tools/call', 'denied', 0.0001, 0)
    metrics.exchange('evil"} 1\n', 'rejected', 0, 0)
    metrics.exchange('other/evil', 'rejected', 0, 0)
    const text = metrics.text()
    expect(text.match(/^gatehouse_mcp_exchanges_total.*$/gm)).toEqual([
      'gatehouse_mcp_exchanges_total{method="tools/call",outcome="ok"} 2',
      'gatehouse_mcp_exchanges_total{method="tools/call",outcome="denied"} 1',
      'gatehouse_mcp_exchanges_total{method="other",outcome="rejected"} 2',
    ])
    expect(readSeries(text, 'gatehouse_upstream_seconds_count{method="tools/call"}')).toBe(1)
    expect(readSeries(text, 'gatehouse_upstream_seconds_bucket{method="tools/call",le="0.001"}')).toBe(0)
    expect(readSeries(text, 'gatehouse_upstream_seconds_bucket{method="tools/call",le="0.0025"}')).toBe(1)
    expect(text).not.toContain('evil')
  })

  it('count HTTP requests by class of status, and nothing that is no status', () => {
    const metrics = openMetrics()
    for (const status of [200, 204, 401, 500, 0, 700, Number.NaN]) metrics.httpRequest(status)
    const text = metrics.text()
    expect(text.match(/^gatehouse_http_requests_total.*$/gm)).toEqual([
      'gatehouse_http_requests_total{status="1xx"} 0',
      'gatehouse_http_requests_total{status="2xx"} 2',
      'gatehouse_http_requests_total{status="3xx"} 0',
      'gatehouse_http_requests_total{status="4xx"} 1',
      'gatehouse_http_requests_total{status="5xx"} 1',
    ])
  })

  it('read gauges when they are asked for', () => {
    const metrics = openMetrics()
    let sessions = 1
    metrics.gauges({
      ...none,
      sessions: () => sessions,
      streams: () => 2,
      processes: () => 3,
      auditWaiting: () => 4,
    })
    expect(readSeries(metrics.text(), 'gatehouse_sessions')).toBe(1)
    sessions = 7
    const text = metrics.text()
    expect(
      ['sessions', 'streams', 'processes', 'audit_waiting_bytes'].map(name =>
        readSeries(text, `gatehouse_${name}`),
      ),
    ).toEqual([7, 2, 3, 4])
    expect(readSeries(text, 'process_resident_memory_bytes')).toBeGreaterThan(1e6)
    expect(readSeries(text, 'process_start_time_seconds')).toBeLessThanOrEqual(Date.now() / 1000)
  })

  it('are lines of the text format, with buckets that only grow and end at the count', () => {
    const seconds = fc.oneof(
      fc.double({ min: 0, max: 1000, noNaN: true }),
      fc.constantFrom(0.001, 0.0025, 60, 600),
    )
    fc.assert(
      fc.property(fc.array(seconds, { minLength: 1, maxLength: 50 }), observed => {
        const metrics = openMetrics()
        for (const each of observed) metrics.exchange('ping', 'ok', each, 0)
        const text = metrics.text()
        for (const line of text.trimEnd().split('\n')) {
          expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"\\]+"(,\w+="[^"\\]+")*\})? [0-9.e+-]+)$/)
        }
        const series = /^gatehouse_mcp_exchange_seconds_bucket\{method="ping",le="(.+)"\} (\d+)$/gm
        for (const [, bound = '', count] of text.matchAll(series)) {
          const most = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound)
          expect(Number(count)).toBe(observed.filter(each => each <= most).length)
        }
        const sum = readSeries(text, 'gatehouse_mcp_exchange_seconds_sum{method="ping"}')
        expect(sum).toBeCloseTo(
          observed.reduce((all, each) => all + each, 0),
          6,
        )
      }),
    )
  })
})
