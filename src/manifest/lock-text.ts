/** A lockfile: the approved tools of servers in YAML, sorted, so that a difference in Git is one of meaning. */
import { Document, isScalar, visit } from 'yaml'
import { z } from 'zod'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { unseen } from '../foundation/visible.ts'
import { definitionOf, isOfHash, isPlain, type LockedTool } from '../upstreams/index.ts'
import { type Problem, written } from './problem.ts'
import { readSource, type Source } from './source.ts'

/** The tools of each server, by `group/server`. */
export type Lock = ReadonlyMap<string, readonly LockedTool[]>

const place = z.string().regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, 'expected group/server')
const lockedTool = z.strictObject({
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'expected the SHA-256 of the definition'),
  definition: z.record(z.string(), z.unknown()).optional(),
  /** As the server wrote it, where plain data cannot say that. */
  text: z.string().optional(),
})
const lockSchema = z.strictObject({
  version: z.literal(1),
  servers: z.record(place, z.record(z.string(), lockedTool)),
})

const heading = ' The approved tools. Written by: gatehouse export --lock'

export function writeLock(lock: Lock): string {
  const servers = [...lock].map(([name, tools]) => [name, Object.fromEntries(tools.map(toolEntry))])
  const document = new Document(
    { version: 1, servers: Object.fromEntries(servers) },
    { sortMapEntries: bySense },
  )
  document.commentBefore = heading
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string' && hides(node.value)) node.type = 'QUOTE_DOUBLE'
    },
  })
  return escaped(document.toString({ lineWidth: 0 }))
}

function toolEntry({ name, hash, text }: LockedTool): [string, JsonObject] {
  const { name: _, ...definition } = definitionOf({ hash, text })
  return [name, isPlain({ hash, text }) ? { hash, definition } : { hash, text }]
}

// The version and the hash stand first, everything else in order of name.
const first: ReadonlySet<unknown> = new Set(['version', 'hash'])
function bySense(a: { key: unknown }, b: { key: unknown }): number {
  const [one, other] = [a.key, b.key].map(key => (isScalar(key) ? String(key.value) : String(key)))
  if (first.has(one) !== first.has(other)) return first.has(one) ? -1 : 1
  return (one ?? '') < (other ?? '') ? -1 : 1
}

const lineEnds = /[\n\t]/g
const everyUnseen = new RegExp(unseen.source, 'gu')
const hides = (text: string) => unseen.test(text.replaceAll(lineEnds, ''))

/** Nothing in the file is there that a reader does not see. Such characters stand in double quotes only, where they can be written so. */
function escaped(yaml: string): string {
  return yaml.replaceAll(everyUnseen, character => {
    if (character === '\n' || character === '\t') return character
    const hex = (character.codePointAt(0) ?? 0).toString(16)
    return hex.length > 4 ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`
  })
}

export type LockSource = { readonly lock: Lock; readonly source: Source }

/** The lock of a text, or everything that is wrong with it. */
export function readLock(text: string): LockSource | { problems: readonly Problem[] } {
  const read = readSource(text, { what: 'lockfile', mostBytes: 4 * 1024 * 1024 })
  if ('problems' in read) return read
  const { source } = read
  const parsed = lockSchema.safeParse(source.value)
  if (!parsed.success)
    return {
      problems: parsed.error.issues.map(({ path, message }) =>
        problem(source, path, `${message}.`, 'Write the lockfile anew with: gatehouse export --lock.'),
      ),
    }
  const problems: Problem[] = []
  const servers = Object.entries(parsed.data.servers).map(([server, entries]) => {
    const tools = Object.entries(entries).map(([name, entry]) => asTool(name, entry))
    if (tools.length === 0) problems.push(emptyServer(source, server))
    for (const tool of tools) if (!isWhole(tool)) problems.push(tornTool(source, server, tool.name))
    return [server, tools] as const
  })
  return problems.length > 0 ? { problems } : { lock: new Map(servers), source }
}

function asTool(name: string, { hash, definition, text }: z.infer<typeof lockedTool>): LockedTool {
  return { name, hash, text: text ?? JSON.stringify({ name, ...definition }) }
}

/** Is the definition of the hash that stands at it, and of the tool? */
function isWhole({ name, hash, text }: LockedTool): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) && value.name === name && isOfHash({ hash, text })
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return false
    throw error
  }
}

function tornTool(source: Source, server: string, tool: string): Problem {
  const why = `The definition of ${tool} is not the one of its hash.`
  const fix =
    'Approve tools at the gateway and write the lockfile anew, or take both lines from another version of it.'
  return problem(source, ['servers', server, tool, 'hash'], why, fix)
}

function emptyServer(source: Source, server: string): Problem {
  const fix = 'Leave the server out, and set newTools: hold in its tool policy.'
  return problem(source, ['servers', server], `${server} has no tools here.`, fix)
}

export function problem(source: Source, path: readonly PropertyKey[], why: string, fix: string): Problem {
  return { code: 'manifest.invalid', line: source.lineOf(path), path: written(path), why, fix }
}
