import { isCredentialName, isCredentialValue } from '../foundation/credential.ts'
import { type ErrorCode, fail } from '../foundation/errors.ts'

/** One thing that is wrong with a manifest. */
export type Problem = {
  readonly code: ErrorCode
  /** From 1; null when it is about the manifest as a whole. */
  readonly line: number | null
  /** As in `groups[0].access[1].subject`. */
  readonly path: string
  /** The value as it stands there, shortened; left out where secrets may stand. */
  readonly value?: string
  readonly why: string
  readonly fix: string
}

export type Path = readonly PropertyKey[]

export function written(path: Path): string {
  return path
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i > 0 ? '.' : ''}${String(step)}`))
    .join('')
}

const secretive = /\.(?:(?:headers|env)(?:\.|$)|auth(?:\.(?!kind$)|$))/

/** The value, unless a secret may stand at this path. */
export function quoted(path: Path, value: unknown): { value?: string } {
  if (value === undefined || secretive.test(written(path)) || isCredentialName(String(path.at(-1)))) return {}
  // A server as a whole, or its transport, may have a secret anywhere.
  if (path[0] === 'servers' && typeof value === 'object') return {}
  const text = JSON.stringify(value) ?? String(value)
  if (isCredentialValue(text)) return {}
  return { value: text.length > 80 ? `${text.slice(0, 79)}…` : text }
}

/** Throws `manifest.invalid` with all of the problems, in order of line. */
export function refuse(problems: readonly Problem[]): never {
  const ordered = problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0))
  const count = ordered.length === 1 ? 'There is 1 problem.' : `There are ${ordered.length} problems.`
  const lines = ordered.slice(0, 20).map(({ line, path, why }) => `${place(line, path)}${why}`)
  const more = ordered.length > lines.length ? ['...'] : []
  return fail('manifest.invalid', { why: [count, ...lines, ...more].join('\n'), data: { problems: ordered } })
}

function place(line: number | null, path: string): string {
  const where = [line === null ? '' : `line ${line}`, path].filter(part => part !== '').join(', ')
  return where === '' ? '' : `${where}: `
}
