import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readEventId, writeEventId } from './event-id.ts'

const place = { kind: 'call', epoch: 'abcdefgh', stream: 3, sequence: 14 } as const

it('ids say which stream, which place in it and which request, and read back as written', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('call' as const, 'unasked' as const),
      fc.nat(),
      fc.nat(),
      fc.oneof(fc.maxSafeInteger(), fc.string({ maxLength: 10, unit: 'grapheme-ascii' })),
      (kind, stream, sequence, id) => {
        const clientId = kind === 'call' ? JSON.stringify(id) : undefined
        const whole = { kind, epoch: 'abcdefgh', stream: stream % 1e9, sequence: sequence % 1e9, clientId }
        const written = writeEventId(whole)
        expect(written).toMatch(/^[\x21-\x7e]{1,120}$/)
        expect(readEventId(written)).toEqual(whole)
      },
    ),
  )
})

it('an id that is long, or that no request can have, is not carried along', () => {
  const long = JSON.stringify('x'.repeat(60))
  expect(readEventId(writeEventId({ ...place, clientId: long }))).toEqual({ ...place, clientId: undefined })
  for (const text of ['{}', 'null', '1.5', '[1]', '1}, {"id":2', ''])
    expect(readEventId(writeEventId({ ...place, clientId: text }))?.clientId).toBeUndefined()
})

it('whatever else a client sends is no id', () => {
  for (const text of ['', 'e-1', 'xabcdefgh-1-1', 'cabcdefgh-1', 'cabcdefgh-1-1-', 'cabcdefgh--1-1'])
    expect(readEventId(text)).toBeUndefined()
  fc.assert(
    fc.property(fc.string(), text => {
      expect(readEventId(text)).toBeUndefined()
    }),
  )
})
