import fc from 'fast-check'
import { expect, it } from 'vitest'
import { missingScopes } from '../../servers/index.ts'
import { covers } from './narrowed.ts'

const places = ['a/x', 'a/y', 'b/x'] as const
const scope = fc
  .tuple(fc.constantFrom('use', 'read'), fc.option(fc.constantFrom(...places), { nil: undefined }))
  .map(([verb, place]) => (place === undefined ? `mcp:${verb}` : `mcp:${verb}:${place}`))
const target = fc
  .tuple(fc.constantFrom(...places), fc.boolean())
  .map(([place, readOnly]) => ({ place, readOnly }))

const allows = (held: string, { place, readOnly }: { place: string; readOnly: boolean }) => {
  const [group = '', server = ''] = place.split('/')
  const tool = { name: 't', readOnly }
  return missingScopes({ scopes: [held] }, 'tool.call', { group, server, tool }) === undefined
}

it('T043: what a scope covers never allows what it does not allow itself', () => {
  fc.assert(
    fc.property(scope, scope, target, (held, wanted, at) => {
      if (covers(held, wanted, { server: undefined }) && allows(wanted, at))
        expect(allows(held, at)).toBe(true)
    }),
  )
})

it('T043: nor at the one server that a resource is', () => {
  fc.assert(
    fc.property(scope, scope, target, (held, wanted, at) => {
      const [group = '', name = ''] = at.place.split('/')
      if (covers(held, wanted, { server: { group, name } }) && allows(wanted, at))
        expect(allows(held, at)).toBe(true)
    }),
  )
})

it('covers itself, and reading where it covers everything', () => {
  fc.assert(
    fc.property(scope, held => {
      expect(covers(held, held, { server: undefined })).toBe(true)
      expect(covers(held, held.replace('use', 'read'), { server: undefined })).toBe(true)
    }),
  )
})
