/** Source text as the rules see it: what is code, what is comment, what is imported. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative, sep } from 'node:path'
import { ROOT } from '../fixtures/process.ts'

export type Import = {
  /** As written. */
  readonly from: string
  /** Path from the root of the repository; undefined for packages. */
  readonly path: string | undefined
  /** Leaves nothing behind at run time. */
  readonly isType: boolean
  /** What stands between `import` and `from`. */
  readonly names: string
  readonly line: number
}

export type Source = {
  /** From the root of the repository, with slashes. */
  readonly path: string
  readonly text: string
  /** The text with comments, strings and regular expressions blanked; lines stay lines. */
  readonly code: string
  /** The comments alone; lines stay lines. */
  readonly comments: string
  readonly imports: readonly Import[]
}

export function source(path: string, text: string): Source {
  const { code, comments, withStrings } = split(text)
  return { path, text, code, comments, imports: importsOf(path, withStrings) }
}

/** Every TypeScript file below these folders. */
export function readSources(...folders: string[]): Source[] {
  return folders.flatMap(folder => {
    const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    return names
      .filter(name => name.endsWith('.ts') && !name.includes('node_modules'))
      .map(name =>
        relative(ROOT, join(ROOT, folder, name))
          .split(sep)
          .join('/'),
      )
      .sort()
      .map(path => source(path, readFileSync(join(ROOT, path), 'utf8')))
  })
}

export function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

const staticImport = /(?:^|\n)[ \t]*(?:import|export)\s+(type\s+)?([\w*\s{},$]*?)\s*from\s*['"]([^'"]+)['"]/g
const bareImport = /(?:^|\n)[ \t]*import\s*()()['"]([^'"]+)['"]/g
const lateImport = /\bimport\(\s*()()['"]([^'"]+)['"]\s*\)/g

function importsOf(path: string, text: string): Import[] {
  return [staticImport, bareImport, lateImport].flatMap(pattern =>
    [...text.matchAll(pattern)].map(match => {
      const [whole, type = '', names = '', from = ''] = match
      return {
        from,
        path: from.startsWith('.') ? posix.normalize(`${dirname(path)}/${from}`) : undefined,
        isType: type !== '' || isOnlyTypes(names),
        names,
        line: lineOf(text, match.index + whole.search(/\S/)),
      }
    }),
  )
}

function isOnlyTypes(names: string): boolean {
  const listed = /^\{([\s\S]*)\}$/.exec(names.trim())?.[1]?.split(',') ?? []
  const written = listed.map(name => name.trim()).filter(name => name !== '')
  return written.length > 0 && written.every(name => name.startsWith('type '))
}

// One pass over comments, strings and regular expressions. A slash begins an expression where no value can have ended.
const tokens =
  /(\/\/[^\n]*|\/\*[\s\S]*?\*\/)|('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|`(?:[^`\\]|\\[\s\S])*`|(?<=(?:[(,=:[!&|?{};+>]|\breturn|^)\s*)\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/gm

function split(text: string): { code: string; comments: string; withStrings: string } {
  const blank = (found: string) => found.replace(/[^\n]/g, ' ')
  // The expressions inside a template are code.
  const inside = (found: string) =>
    found.startsWith('`')
      ? found.replace(/(\$\{[^{}`]*\})|[^\n]/g, (_, expression?: string) => expression ?? ' ')
      : blank(found)
  let comments = ''
  let end = 0
  for (const match of text.matchAll(tokens)) {
    comments += blank(text.slice(end, match.index)) + (match[1] ?? blank(match[0]))
    end = match.index + match[0].length
  }
  return {
    comments,
    code: text.replace(tokens, inside),
    withStrings: text.replace(tokens, (found, comment?: string, string?: string) =>
      comment !== undefined || string === undefined ? blank(found) : found,
    ),
  }
}
