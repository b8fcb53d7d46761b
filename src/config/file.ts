import { readFileSync } from 'node:fs'
import { isMap, LineCounter, parseDocument } from 'yaml'
import { isObject } from '../foundation/json.ts'

export type ConfigFile = {
  readonly values: Record<string, unknown>
  /** Problems of the file itself: unreadable, not YAML, not a mapping. */
  readonly problems: readonly { readonly from: string; readonly problem: string }[]
  /** `<name>:<line>` of the value at a path, or of the nearest mapping around it. */
  locate(path: readonly PropertyKey[]): string
}

/** Reads a YAML file; undefined when it is not there and nobody named it. */
export function readConfigFile(path: string, name: string, isNamed: boolean): ConfigFile | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    if (code === 'ENOENT' && !isNamed) return undefined
    return broken(name, [{ from: name, problem: `The file cannot be read (${code}).` }])
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const line = (offset: number) => `${name}:${lines.linePos(offset).line}`
  if (document.errors.length > 0) {
    const problems = document.errors.map(error => ({
      from: line(error.pos[0]),
      problem: `Not valid YAML: ${error.message.split('\n')[0] ?? error.code}`,
    }))
    return broken(name, problems)
  }
  const values: unknown = document.toJS() ?? {}
  if (!isObject(values))
    return broken(name, [{ from: name, problem: 'The file must be a mapping of settings.' }])
  const keyLine = (path: readonly PropertyKey[]): string => {
    const map = path.length < 2 ? document.contents : document.getIn(path.slice(0, -1), true)
    const pair = isMap(map) ? map.items.find(item => String(item.key) === String(path.at(-1))) : undefined
    const range = isObject(pair?.key) ? pair.key.range : undefined
    if (Array.isArray(range)) return line(Number(range[0]))
    return path.length > 1 ? keyLine(path.slice(0, -1)) : name
  }
  return { values: { ...values }, problems: [], locate: keyLine }
}

function broken(name: string, problems: ConfigFile['problems']): ConfigFile {
  return { values: {}, problems, locate: () => name }
}
