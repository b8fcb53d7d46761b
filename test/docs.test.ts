import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { errorTable } from '../src/foundation/errors.ts'
import { anchors, files, links, read } from './documents/files.ts'
import { ROOT, run } from './fixtures/process.ts'

const all = files()
const documents = all.filter(path => path.endsWith('.md'))
const isThere = (path: string) => existsSync(join(ROOT, path))
const names = z.record(z.string(), z.string())
const manifest = z
  .object({
    version: z.string(),
    scripts: names,
    dependencies: names,
    devDependencies: names,
    optionalDependencies: names,
  })
  .parse(JSON.parse(read('package.json')))

/** What stands in backticks and matches, once each. */
function quoted(text: string, pattern: RegExp): string[] {
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
  return [...new Set(spans.filter(span => pattern.test(span)))]
}

describe('generated documents', () => {
  it('are what the code says', async () => {
    await run({ args: ['scripts/write-docs.ts', '--check'] })
  })

  it('have a heading for every error', () => {
    const headings = [...read('docs/errors.md').matchAll(/^#+ `?([\w.]+)`?$/gm)].map(([, code]) => code)
    expect(Object.keys(errorTable).filter(code => !headings.includes(code))).toEqual([])
  })
})

describe.each(documents)('%s', path => {
  const text = read(path)

  it('links to what is there', () => {
    const broken = links(path, text).filter(
      ({ to, heading }) =>
        !isThere(to) || (heading !== undefined && to.endsWith('.md') && !anchors(read(to)).includes(heading)),
    )
    expect(broken).toEqual([])
  })

  it('names files that are there', () => {
    const named = quoted(text, /^(?:src|test|bench|scripts|docs|bin)\/[\w./-]+$/)
    expect(named.filter(file => !isThere(file))).toEqual([])
  })

  it('names npm scripts that are there', () => {
    const named = [...text.matchAll(/\bnpm (?:run (\w+)|(start|test)\b)/g)].map(([, any, own]) => any ?? own)
    expect(named.filter(script => !(String(script) in manifest.scripts))).toEqual([])
  })
})

describe('docs/tour.md', () => {
  const tour = read('docs/tour.md')
  const code = quoted(tour, /^src\/.*\.ts$/).map(read)

  it('names functions of the files it names', () => {
    const functions = quoted(tour, /^[\w.]+\(\)$/).map(name => name.slice(0, -2).split('.').at(-1) ?? '')
    const missing = functions.filter(name => !code.some(text => new RegExp(`\\b${name}\\b`).test(text)))
    expect(functions.length).toBeGreaterThan(15)
    expect(missing).toEqual([])
  })
})

describe('CHANGELOG.md', () => {
  it('has the version of package.json at its top', () => {
    expect(/^## (.+)$/m.exec(read('CHANGELOG.md'))?.[1]).toBe(manifest.version)
  })
})

describe('docs/decisions', () => {
  it('names every dependency with its reason, and no other', () => {
    const rows = read('docs/decisions/0012-dependencies.md').matchAll(/^\| `([^`]+)` \| \S.* \|$/gm)
    const { dependencies, devDependencies, optionalDependencies } = manifest
    const present = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
    expect([...rows].map(([, name]) => name).sort()).toEqual(present.sort())
  })

  it('lists every page', () => {
    const list = read('docs/decisions/README.md')
    const pages = all.filter(path => /^docs\/decisions\/\d{4}-.+\.md$/.test(path))
    expect(pages.filter(page => !list.includes(`(${page.split('/').at(-1)})`))).toEqual([])
  })
})

describe('the files of the project', () => {
  const text = /\.(?:ts|mjs|md|json|ya?ml|sh|py)$|^\.ci\/run$|^\.npmrc$|^\.gitignore$/

  it.each([
    ['paths of somebody’s machine', /(?:^|[\s'"`(=])(?:\/(?:work|root|Users)\/\w|[A-Z]:\\\\?Users)/],
    ['numbers of issues', /\bissues?\s+#?\d|\(#\d+\)|\bGH-\d/i],
    [
      'hosts of registries',
      /registry\.(?:npmjs|yarnpkg)|\bpypi\.org|files\.pythonhosted\.|"resolved": "http[s:]/,
    ],
  ])('hold no %s', (_, pattern) => {
    const found = all
      // The catalogues are what others wrote, as they wrote it.
      .filter(path => text.test(path) && !path.startsWith('test/search/catalogues/'))
      .flatMap(path => {
        const lines = read(path).split('\n')
        return lines.flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1}: ${line.trim()}`] : []))
      })
    expect(found).toEqual([])
  })
})
