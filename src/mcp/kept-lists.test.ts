import { expect, it } from 'vitest'
import type { Principal } from '../identity/index.ts'
import type { Composition } from '../servers/index.ts'
import { KeptLists } from './kept-lists.ts'

const nothing = () => ({}) as Composition
const [ana, bo] = [{ id: 'ana' } as Principal, { id: 'bo' } as Principal]

function counting(kept: KeptLists) {
  let made = 0
  const get = (composition: Composition, principal: Principal, place = 'tools', bytes = 10) =>
    kept.get(composition, principal, place, () => {
      made++
      return Buffer.alloc(bytes)
    })
  return { get, made: () => made }
}

it('are made once for each composition, caller and place', () => {
  const { get, made } = counting(new KeptLists())
  const composition = nothing()
  expect(get(composition, ana)).toBe(get(composition, ana))
  expect(made()).toBe(1)
  get(composition, bo)
  get(nothing(), ana)
  get(composition, ana, 'prompts')
  expect(made()).toBe(4)
})

it('are forgotten, the oldest first, where there are too many bytes of them', () => {
  const { get, made } = counting(new KeptLists(30))
  const composition = nothing()
  for (const place of ['a', 'b', 'c', 'd']) get(composition, ana, place)
  expect(made()).toBe(4)
  for (const place of ['b', 'c', 'd']) get(composition, ana, place)
  expect(made()).toBe(4)
  get(composition, ana, 'a')
  expect(made()).toBe(5)
  // One that is larger than all there is room for is made each time something else was asked for.
  get(composition, ana, 'huge', 100)
  get(composition, ana, 'huge', 100)
  expect(made()).toBe(6)
  get(composition, ana, 'b')
  get(composition, ana, 'huge', 100)
  expect(made()).toBe(8)
})
