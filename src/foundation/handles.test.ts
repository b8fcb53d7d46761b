import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openHandles } from './handles.ts'

const key = randomBytes(32)
let now = 1_800_000_000_000
const clock = { now: () => now, elapsed: () => now }
const handles = openHandles({ derive: () => key }, clock)
const payload = { method: 'tools/call', park: 'x' }
const bound = ['user-1', 'server-1']

describe('handles', () => {
  it('open as what was sealed, for whom, until they expire', () => {
    const handle = handles.seal('state', bound, payload, 60)
    expect(handle).toMatch(/^[\w-]+$/)
    expect(handles.open('state', bound, handle)).toEqual(payload)
    now += 60_000
    expect(handles.open('state', bound, handle)).toBeUndefined()
  })

  it('open as nothing else, and for nobody else', () => {
    const handle = handles.seal('state', bound, payload, 60)
    expect(handles.open('cursor', bound, handle)).toBeUndefined()
    expect(handles.open('state', ['user-2', 'server-1'], handle)).toBeUndefined()
    expect(handles.open('state', ['user-1server-1'], handle)).toBeUndefined()
    expect(openHandles({ derive: () => randomBytes(32) }, clock).open('state', bound, handle)).toBeUndefined()
  })

  it('name the same thing with the same text, and everything else with another', () => {
    const name = handles.name('task', bound, payload)
    now += 365 * 86_400_000
    expect(handles.name('task', bound, { ...payload })).toBe(name)
    expect(handles.open('task', bound, name)).toEqual(payload)
    const others = [
      handles.name('task', bound, { ...payload, park: 'y' }),
      handles.name('task', ['user-2', 'server-1'], payload),
      handles.name('cursor', bound, payload),
    ]
    expect(new Set([name, ...others]).size).toBe(4)
    for (const other of others) expect(other.slice(0, 16)).not.toBe(name.slice(0, 16))
    expect(handles.open('task', ['user-2', 'server-1'], name)).toBeUndefined()
  })

  it('do not open with a single bit changed', () => {
    const bytes = Buffer.from(handles.seal('state', bound, payload, 60), 'base64url')
    fc.assert(
      fc.property(fc.nat({ max: bytes.length * 8 - 1 }), bit => {
        const changed = Buffer.from(bytes)
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect(handles.open('state', bound, changed.toString('base64url'))).toBeUndefined()
      }),
    )
  })

  it('do not open when anything was added, and never throw', () => {
    const handle = handles.seal('state', bound, payload, 60)
    for (const other of [`${handle} `, `${handle}=`, `${handle}AA`, '', 'A'.repeat(60)])
      expect(handles.open('state', bound, other)).toBeUndefined()
    fc.assert(
      fc.property(fc.string(), text => {
        expect(handles.open('state', bound, text)).toBeUndefined()
      }),
    )
  })
})
