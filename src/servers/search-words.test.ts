import { describe, expect, it } from 'vitest'
import { synonymsOf } from './search-synonyms.ts'
import { stem, termsOf } from './search-words.ts'

describe('terms', () => {
  it.each([
    ['read_text-note.v2/raw', ['read', 'text', 'not', 'v2', 'raw']],
    ['getHTMLPost', ['get', 'html', 'post']],
    ['Zürich: “GROSS”', ['zürich', 'gross']],
    ['Find what is in the inbox', ['find', 'inbox']],
    ['404 times', ['number', 'tim']],
    [`${'x'.repeat(41)} y`, ['y']],
    ['', []],
  ])('of %s', (text, terms) => {
    expect(termsOf(text)).toEqual(terms)
    expect(termsOf(text)).toEqual(terms)
  })

  it('stay right when more words come than are kept', () => {
    const many = Array.from({ length: 12_000 }, (_, at) => `w${at}x`)
    expect(termsOf(many.join(' '))).toEqual(many)
    expect(termsOf('creating')).toEqual([stem('create')])
  })
})

describe('the stem', () => {
  it.each([
    ['create creates created creating creation'],
    ['navigate navigates navigated navigating navigation'],
    ['copy copies copied copying'],
    ['run runs running'],
    ['directory directories'],
    ['index indexes indexed indexing'],
    ['branch branches branched'],
    ['search searches searched searching'],
    ['document documents documented documentation'],
    ['deploy deploys deployed deployment deployments'],
    ['delete deletes deleted deleting deletion'],
    ['process processes processed processing'],
    ['organize organizes organization organizations organisation'],
    ['recent recently'],
  ])('is one for %s', forms => {
    expect(new Set(forms.split(' ').map(stem)).size).toBe(1)
  })

  it.each([
    ['file', 'fill'],
    ['status', 'state'],
    ['container', 'contains'],
    ['format', 'form'],
  ])('is not one for %s and %s', (one, other) => {
    expect(stem(one)).not.toBe(stem(other))
  })

  it('leaves other scripts and short words alone', () => {
    expect(['ファイル作成', 'ms', 'dns'].map(stem)).toEqual(['ファイル作成', 'ms', 'dns'])
  })
})

describe('synonyms', () => {
  it('hold both ways and never name the word itself', () => {
    const some = ['delete', 'folder', 'image', 'create', 'kubernetes'].map(stem)
    for (const term of some) {
      const others = [...synonymsOf(term)]
      expect(others).not.toEqual([])
      expect(others).not.toContain(term)
      expect(others.filter(other => ![...synonymsOf(other)].includes(term))).toEqual([])
    }
    expect([...synonymsOf('zeppelin')]).toEqual([])
  })
})
