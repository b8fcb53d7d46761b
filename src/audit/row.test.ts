import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toolCall } from '../../test/fixtures/audit-event.ts'
import type { AuditEvent } from './event.ts'
import { rowOf } from './row.ts'

const text = fc.oneof(
  fc.constantFrom('user', 'a/b', 'tab\there', '"', '\\', '\0', '\ud800', 'é', '\u2028', 'null', '","'),
  fc.string({ unit: 'binary', maxLength: 20 }),
)
const textOrNull = fc.option(text)

const event: fc.Arbitrary<AuditEvent> = fc
  .record({
    requestId: text,
    id: textOrNull,
    name: textOrNull,
    client: textOrNull,
    action: text,
    target: textOrNull,
    subject: textOrNull,
    error: textOrNull,
    reason: text,
    total: fc.oneof(fc.nat(), fc.double({ min: 0, noNaN: true })),
    detail: fc.option(fc.jsonValue()),
    hasArguments: fc.boolean(),
  })
  .map(({ id, name, client, reason, total, hasArguments, ...rest }) => {
    const call = toolCall(rest)
    return {
      ...call,
      who: { ...call.who, id, name, client },
      decision: { allowed: true, reason },
      time: { total, upstream: 0 },
      ...(hasArguments && { input: { bytes: 2, sha256: null, arguments: { a: ['}', null] } } }),
    }
  })

const column = (value: string | null) =>
  value?.slice(0, 400).toWellFormed().replaceAll('\0', '\ufffd') ?? null

describe('the row of a line', () => {
  it('holds what the event is searched by, whatever stands in it', () => {
    fc.assert(
      fc.property(event, recorded => {
        const line = JSON.stringify(recorded)
        const { id, who, target, action, subject, outcome } = recorded
        const principal = who.name === null ? null : `${who.kind}:${who.name}`
        expect(rowOf(line)).toEqual([
          ...[id, column(principal), column(target), column(action), outcome, line],
          ...[column(who.id), column(subject)],
        ])
      }),
      { numRuns: 1000 },
    )
  })

  it('is not made of a damaged line: any one byte lost, or the line cut anywhere', () => {
    const line = JSON.stringify(toolCall())
    const isValid = (damaged: string) => {
      try {
        return typeof JSON.parse(damaged) === 'object'
      } catch {
        return false
      }
    }
    for (let at = 0; at < line.length; at++) {
      expect(rowOf(line.slice(0, at))).toBeUndefined()
      const nulled = `${line.slice(0, at)}\0${line.slice(at + 1)}`
      expect(rowOf(nulled)).toBeUndefined()
      const missing = line.slice(0, at) + line.slice(at + 1)
      if (!isValid(missing)) expect(rowOf(missing)).toBeUndefined()
    }
  })
})
