/** The text of a manifest: YAML 1.2 without anything that could surprise, and where in it everything stands. */
import {
  type Document,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml'
import { type Path, type Problem, written } from './problem.ts'

export type Source = {
  /** Plain data. */
  readonly value: unknown
  /** The line of the value, or of the nearest thing around it that is there. */
  lineOf(path: Path): number | null
}

const mebibyte = 1024 * 1024

export function readSource(
  text: string,
  { what, mostBytes }: { what: string; mostBytes: number } = { what: 'manifest', mostBytes: mebibyte },
): { source: Source } | { problems: readonly Problem[] } {
  if (Buffer.byteLength(text) > mostBytes) {
    const why = `The ${what} is larger than ${mostBytes / mebibyte} MiB.`
    return { problems: [syntax(null, why, 'Split it into several.')] }
  }
  const lines = new LineCounter()
  const document = parsed(text, lines)
  if (document === undefined)
    return { problems: [syntax(null, `The ${what} is nested too deeply to be read.`, 'Nest less.')] }
  const lineAt = (offset: number | undefined) => (offset === undefined ? null : lines.linePos(offset).line)
  const problems = [...document.errors, ...document.warnings].map(({ pos, message }) =>
    syntax(lineAt(pos[0]), `${message}.`.replace(/\.\.$/, '.'), 'Correct the YAML.'),
  )
  problems.push(...oddities(document, lineAt))
  if (problems.length > 0) return { problems }
  return {
    source: { value: document.toJS() ?? {}, lineOf: path => lineAt(offsetOf(document, path)) },
  }
}

function parsed(text: string, lineCounter: LineCounter): Document.Parsed | undefined {
  try {
    return parseDocument(text, {
      lineCounter,
      prettyErrors: false,
      uniqueKeys: true,
      schema: 'core',
      logLevel: 'error',
    })
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Aliases, which can make a small text huge, and keys that programs mistake for something else. */
function oddities(
  document: Document.Parsed,
  lineAt: (offset: number | undefined) => number | null,
): Problem[] {
  const problems: Problem[] = []
  visit(document, {
    Alias(_, node) {
      problems.push(syntax(lineAt(node.range?.[0]), 'Aliases are not accepted.', 'Write the value out.'))
    },
    Pair(_, { key }) {
      if (isScalar(key) && key.value === '__proto__')
        problems.push(syntax(lineAt(key.range?.[0]), 'The key __proto__ is not accepted.', 'Remove it.'))
    },
  })
  return problems
}

function syntax(line: number | null, why: string, fix: string): Problem {
  return { code: 'manifest.invalid', line, path: written([]), why, fix }
}

function offsetOf(document: Document.Parsed, path: Path): number | undefined {
  let node: unknown = document.contents
  let offset = startOf(node)
  for (const step of path) {
    if (!isCollection(node)) break
    const key = isMap(node)
      ? node.items.find(pair => isScalar(pair.key) && pair.key.value === step)?.key
      : undefined
    const next: unknown = node.get(step, true)
    if (key === undefined && next === undefined) break
    offset = startOf(key ?? next) ?? offset
    node = next
  }
  return offset
}

function startOf(node: unknown): number | undefined {
  return (node as Partial<Node> | null | undefined)?.range?.[0]
}
