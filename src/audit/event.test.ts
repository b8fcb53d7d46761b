import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { callerWith, toolCall } from '../../test/fixtures/audit-event.ts'
import { silentLog } from '../foundation/log.ts'
import { eventSchema } from './event-schema.ts'
import { changeEvent, hashInput, ownEvent } from './index.ts'
import { Spool } from './spool.ts'

describe('the shape of an audit event, on which exports and dashboards depend', () => {
  it('is this line in the spool', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'gatehouse-spool-'))
    const spool = new Spool({
      directory,
      run: 'run',
      sync: false,
      segmentBytes: 1000,
      changed: () => undefined,
      log: silentLog,
    })
    spool.record(toolCall({ id: '1k4x0000000000000000ab', at: 1_790_000_000_000 }), () => undefined)
    await spool.close()
    const [name = ''] = readdirSync(directory)
    expect(readFileSync(join(directory, name), 'utf8')).toBe(
      '{"id":"1k4x0000000000000000ab","at":1790000000000,"kind":"exchange","requestId":"request-1",' +
        '"who":{"id":"ana-id","kind":"user","name":"ana@example.com","tokenId":"token-1","address":"127.0.0.1","client":"test/1"},' +
        '"action":"tools/call","target":"engineering/files","subject":"read_text_file",' +
        '"decision":{"allowed":true,"reason":"grant g1 to team:engineering"},"outcome":"ok","error":null,' +
        '"input":{"bytes":2,"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},' +
        '"bytes":{"in":120,"out":512},"time":{"total":3.5,"upstream":3},"era":"session","detail":null}\n',
    )
    rmSync(directory, { recursive: true })
  })

  it('is documented as it is', () => {
    expect(eventSchema.parse(toolCall())).toEqual(expect.objectContaining({ action: 'tools/call' }))
    const unknownMember = { ...toolCall(), extra: 1 }
    expect(eventSchema.parse(unknownMember)).not.toHaveProperty('extra')
    expect(Object.keys(eventSchema.parse(toolCall()))).toEqual(Object.keys(toolCall()))
  })

  it('has the same members for a change', () => {
    const caller = callerWith({ id: 'u1', name: 'lead@example.com', tokenId: 't1' })
    const change = { action: 'access.grant', target: 'group:engineering', detail: { subject: 'everyone' } }
    const event = changeEvent(caller, 'request-2', change)
    expect(event).toEqual({
      id: expect.stringMatching(/^[0-9a-z]{22}$/),
      at: expect.any(Number),
      kind: 'change',
      requestId: 'request-2',
      who: {
        id: 'u1',
        kind: 'user',
        name: 'lead@example.com',
        tokenId: 't1',
        address: null,
        client: null,
      },
      action: 'access.grant',
      target: 'group:engineering',
      subject: null,
      decision: null,
      outcome: 'ok',
      error: null,
      input: null,
      bytes: { in: 0, out: 0 },
      time: { total: 0, upstream: 0 },
      era: null,
      detail: { subject: 'everyone' },
    })
    expect(Object.keys(event)).toEqual(Object.keys(toolCall()))
  })

  it('has the same members for what the gateway does by itself, in the name of nobody', () => {
    const event = ownEvent({ action: 'upstreams.hold_tool', target: 'lab/files', detail: { tool: 'read' } })
    expect(event).toMatchObject({
      kind: 'change',
      requestId: expect.stringMatching(/^[0-9a-z]{22}$/),
      who: { id: null, kind: 'nobody', name: null, tokenId: null, address: null, client: null },
      action: 'upstreams.hold_tool',
      detail: { tool: 'read' },
    })
    expect(Object.keys(eventSchema.parse(event))).toEqual(Object.keys(toolCall()))
  })
})

describe('hashInput', () => {
  it('is SHA-256 in hex', () => {
    expect(hashInput(Buffer.from('{}'))).toBe(
      '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    )
  })
})
