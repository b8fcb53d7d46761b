import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { derivedKeks, sealer } from './seal.ts'

const keyed = (name: string) => ({
  derive: (label: string) =>
    createHash('sha256')
      .update(name + label)
      .digest(),
})
const seals = sealer(derivedKeks(keyed('ours')))
const context = fc.array(fc.string(), { minLength: 1, maxLength: 4 })
const unsealable = expect.objectContaining({ code: 'vault.unsealable' })
const failure = (work: () => unknown) => {
  try {
    return { opened: work() }
  } catch (error) {
    return error
  }
}

describe('a sealed value', () => {
  it('opens to itself in its place, and looks different each time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), context, (value, place) => {
        const sealed = seals.seal(value, place)
        expect(seals.open(sealed, place)).toBe(value)
        expect(seals.seal(value, place)).not.toBe(sealed)
      }),
    )
  })

  it('opens in no other place, however similar', () => {
    fc.assert(
      fc.property(context, context, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other))
        expect(failure(() => seals.open(seals.seal('secret', one), other))).toEqual(unsealable)
      }),
    )
    for (const [one, other] of [
      [
        ['ab', 'c'],
        ['a', 'bc'],
      ],
      [['a', ''], ['a']],
      [
        ['', 'a'],
        ['a', ''],
      ],
    ] as const)
      expect(failure(() => seals.open(seals.seal('secret', one), other))).toEqual(unsealable)
  })

  it('opens with no bit flipped, whichever it is', () => {
    const sealed = Buffer.from(seals.seal('secret', ['place']), 'base64url')
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(failure(() => seals.open(flipped.toString('base64url'), ['place']))).toEqual(unsealable)
    }
  })

  it('opens with nothing cut off or added at either end, an empty value included', () => {
    for (const value of ['secret', '']) {
      const sealed = seals.seal(value, ['place'])
      for (let length = 0; length < sealed.length; length++) {
        expect(failure(() => seals.open(sealed.slice(0, length), ['place']))).toEqual(unsealable)
        expect(failure(() => seals.open(sealed.slice(length + 1), ['place']))).toEqual(unsealable)
      }
      for (const more of ['A', '=', ' ', '\n', 'AAAA'])
        expect(failure(() => seals.open(sealed + more, ['place']))).toEqual(unsealable)
    }
  })

  it('has one spelling only', () => {
    const sealed = seals.seal('secret!!', ['place'])
    const respelt = [...'-_AZaz09'].map(last => sealed.slice(0, -1) + last).filter(text => text !== sealed)
    for (const text of respelt) expect(failure(() => seals.open(text, ['place']))).toEqual(unsealable)
  })

  it('opens with no part of another one in it', () => {
    const parts: [number, number][] = [
      [9, 21],
      [21, 37],
      [37, 69],
      [69, 81],
      [81, 97],
      [97, 103],
      [9, 69],
      [69, 103],
    ]
    const one = Buffer.from(seals.seal('secret', ['one']), 'base64url')
    for (const place of ['one', 'two']) {
      const two = Buffer.from(seals.seal('terces', [place]), 'base64url')
      for (const [start, end] of parts) {
        const mixed = Buffer.concat([one.subarray(0, start), two.subarray(start, end), one.subarray(end)])
        expect(failure(() => seals.open(mixed.toString('base64url'), ['one']))).toEqual(unsealable)
      }
    }
  })

  it('opens with no shortened tag, also where the tag would be right as far as it goes', () => {
    const kek = keyed('ours').derive('vault')
    const kekId = createHmac('sha256', kek).update('gatehouse key id').digest().subarray(0, 8)
    const place = Buffer.concat([Buffer.of(1, 1, 0, 0, 0, 1), Buffer.from('p')])
    for (const tagBytes of [4, 8, 12, 16]) {
      const dek = randomBytes(32)
      const box = (key: Buffer, plain: Buffer, aad: Buffer, length: number) => {
        const iv = randomBytes(12)
        const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: length }).setAAD(aad)
        const text = Buffer.concat([cipher.update(plain), cipher.final()])
        return Buffer.concat([iv, cipher.getAuthTag(), text])
      }
      const wrapped = box(kek, dek, Buffer.concat([place, kekId]), 16)
      const forged = Buffer.concat([
        Buffer.of(1),
        kekId,
        wrapped,
        box(dek, Buffer.from('secret'), place, tagBytes),
      ])
      const outcome = failure(() => seals.open(forged.toString('base64url'), ['p']))
      expect(outcome).toEqual(tagBytes === 16 ? { opened: 'secret' } : unsealable)
    }
  })

  it('opens with no other key, and says so', () => {
    const outcome = failure(() =>
      sealer(derivedKeks(keyed('theirs'))).open(seals.seal('secret', ['place']), ['place']),
    )
    expect(outcome).toMatchObject({
      code: 'vault.unsealable',
      why: expect.stringContaining('a key that is not here'),
    })
  })

  it('opens from no arbitrary text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), text => {
        expect(failure(() => seals.open(text, ['place']))).toEqual(unsealable)
      }),
    )
  })
})
