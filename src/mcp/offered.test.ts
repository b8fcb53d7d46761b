import { expect, it } from 'vitest'
import type { Item } from '../servers/index.ts'
import { Offered } from './offered.ts'

function tool(name: string, description: string): Item {
  const definition = JSON.stringify({ name, description, inputSchema: { type: 'object' } })
  return { kind: 'tool', name, own: name, definition, home: { name: 'files' } } as unknown as Item
}

const some = (count: number, about: string) =>
  Array.from({ length: count }, (_, at) => tool(`t${at}`, `${about} number ${at}`))

it('is searched by an index that those share who are offered the same', () => {
  const [one, other] = [new Offered(some(20, 'reads')), new Offered(some(20, 'reads'))]
  expect(other.search()).toBe(one.search())
  expect(new Offered(some(20, 'writes')).search()).not.toBe(one.search())
  expect(new Offered(some(19, 'reads')).search()).not.toBe(one.search())
})

it('finds what it is offered, and nothing else', () => {
  const mine = new Offered([tool('read_file', 'Reads a file.'), tool('send_mail', 'Sends a message.')])
  expect(mine.search().find('read a file', 5)[0]?.name).toBe('read_file')
  expect(mine.definition('read_file')).toMatchObject({ description: 'Reads a file.' })
  expect(mine.definition('other')).toBeUndefined()
  expect(mine.tokens).toBeGreaterThan(20)
})

it('keeps the indexes that were asked last, up to so many tools', () => {
  const first = new Offered(some(10, 'first'))
  const before = first.search()
  for (let at = 0; at < 5; at++) new Offered(some(9_000, `many ${at}`)).search()
  expect(first.search()).toBe(before)
  for (let at = 5; at < 11; at++) new Offered(some(9_000, `many ${at}`)).search()
  expect(first.search()).not.toBe(before)
})
