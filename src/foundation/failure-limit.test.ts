import { expect, it } from 'vitest'
import { openFailureLimit } from './failure-limit.ts'

function limitAt(most: number) {
  const time = { now: 0 }
  const limit = openFailureLimit({ now: () => time.now, elapsed: () => time.now }, most)
  const refuses = (address: string) => {
    try {
      limit.count(address)
      return undefined
    } catch (thrown) {
      return thrown
    }
  }
  return { time, refuses }
}

it('lets an address fail so often in a minute, then says when to come back', () => {
  const { time, refuses } = limitAt(3)
  expect([1, 2, 3].map(() => refuses('a'))).toEqual([undefined, undefined, undefined])
  time.now = 20_000
  expect(refuses('a')).toMatchObject({ code: 'identity.too_many_failures', data: { retryAfterSeconds: 40 } })
  expect(refuses('b')).toBeUndefined()
  time.now = 60_000
  expect(refuses('a')).toBeUndefined()
})

it('forgets the oldest address rather than grow without bound', () => {
  const { refuses } = limitAt(1)
  refuses('first')
  for (let i = 0; i < 10_000; i++) refuses(`address ${i}`)
  expect(refuses('first')).toBeUndefined()
})
