import { describe, expect, it } from 'vitest'
import { isExpansion } from './uri-template.ts'

describe('a URI template', () => {
  it.each([
    ['file:///{name}', 'file:///a.txt', true],
    ['file:///{name}', 'file:///a/b.txt', false],
    ['file:///{+path}', 'file:///a/b.txt', true],
    ['file:///{path*}', 'file:///a/b.txt', true],
    ['test://template/{id}/data', 'test://template/123/data', true],
    ['test://template/{id}/data', 'test://template/123/other', false],
    ['test://template/{id}/data', 'test://template/1/2/data', false],
    ['search:///q{?text,limit}', 'search:///q?text=a&limit=3', true],
    ['search:///q{?text,limit}', 'search:///q', true],
    ['plain://x', 'plain://x', true],
    ['plain://x', 'plain://xy', false],
    ['a{b', 'a{b', true],
    ['', '', true],
  ])('%s and %s: %s', (template, uri, expected) => {
    expect(isExpansion(template, uri)).toBe(expected)
  })

  it('of many variables is decided all the same', () => {
    expect(isExpansion('{+a}x'.repeat(200), 'x'.repeat(2000))).toBe(true)
    expect(isExpansion(`${'{+a}x'.repeat(200)}y`, 'x'.repeat(2000))).toBe(false)
  })
})
