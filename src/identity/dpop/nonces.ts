/** Nonces for proofs: nothing is kept, every process of an instance makes the same, and each is good for some minutes. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../foundation/clock.ts'

const stepMilliseconds = 60_000
/** So many steps back are good, and as many of a clock that is ahead. */
const stepsBack = 2

export type Nonces = {
  next(): string
  isGood(nonce: string): boolean
}

export function openNonces(key: Buffer, clock: Clock): Nonces {
  const of = (step: number) => createHmac('sha256', key).update(`dpop nonce ${step}`).digest('base64url')
  const now = () => Math.floor(clock.now() / stepMilliseconds)
  return {
    next: () => of(now()),
    isGood(nonce) {
      const given = Buffer.from(nonce)
      const steps = Array.from({ length: stepsBack + 2 }, (_, back) => now() + 1 - back)
      return steps.some(step => {
        const known = Buffer.from(of(step))
        return known.length === given.length && timingSafeEqual(known, given)
      })
    },
  }
}
