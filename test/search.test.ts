import { describe, expect, it } from 'vitest'
import { askAll, composed, describeMiss, hitRate, readCatalogues } from './search/measure.ts'

const catalogues = readCatalogues()
const asked = askAll(catalogues)

describe('the committed questions', () => {
  it('are at least a hundred, of at least ten servers, in two halves', () => {
    expect(asked.length).toBeGreaterThanOrEqual(100)
    expect(new Set(asked.flatMap(({ tools }) => tools.map(tool => tool.split('/')[0]))).size).toBe(
      catalogues.length,
    )
    expect(asked.filter(({ half }) => half === 'tuning')).toHaveLength(asked.length / 2)
    expect(new Set(asked.map(({ question }) => question)).size).toBe(asked.length)
  })

  it('ask for tools that there are', () => {
    const known = new Set(composed(catalogues).map(({ of }) => of))
    expect(asked.flatMap(({ tools }) => tools).filter(tool => !known.has(tool))).toEqual([])
  })

  it('have a right tool among the first five, 95 of 100', () => {
    const misses = asked.filter(({ place }) => place > 5)
    expect(hitRate(asked, 5), misses.map(describeMiss).join('\n')).toBeGreaterThanOrEqual(0.95)
  })

  it('have it nearly as often where nothing was tuned on them', () => {
    const heldOut = asked.filter(({ half }) => half === 'held-out')
    expect(hitRate(heldOut, 5)).toBeGreaterThanOrEqual(0.92)
  })
})

describe('the catalogues', () => {
  it('have every tool under a name of its own', () => {
    const names = composed(catalogues).map(({ name }) => name)
    expect(names.length).toBeGreaterThan(200)
    expect(new Set(names).size).toBe(names.length)
  })
})
