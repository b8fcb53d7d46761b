/** Tools of one server as lists on their way to clients show them: newer than the gateway's own reading, and sometimes others. */
import { elements, isObject, type JsonObject, onlyAt } from '../foundation/json.ts'
import { badAnswer } from './message.ts'
import { type ToolFacts, toolFacts } from './tool-facts.ts'

/** A tool in a list: its bytes, and what they say. */
export type ListedTool = { readonly name: string; readonly raw: Buffer; readonly definition: JsonObject }

type Passed = { readonly raw: Buffer; readonly facts: ToolFacts }

/** Revisions, and callers, see the same tool in as many ways. */
const mostTexts = 4

/** The tools in an answer to tools/list; `tools` is what its bytes say. Throws `upstream.bad_answer` when that depends on who reads them. */
export function listedTools(bytes: Buffer, tools: unknown): ListedTool[] {
  if (!Array.isArray(tools)) return []
  const start = onlyAt(bytes, ['result', 'tools'])
  if (start === undefined) throw badAnswer('Its answer has more than one list of tools.')
  const found: ListedTool[] = []
  let index = 0
  for (const { start: from, end } of elements(bytes, start)) {
    const definition: unknown = tools[index++]
    if (isObject(definition) && typeof definition.name === 'string')
      found.push({ name: definition.name, raw: bytes.subarray(from, end), definition })
  }
  return found
}

export class ObservedTools {
  readonly #most: number
  readonly #facts = new Map<string, ToolFacts>()
  readonly #passed = new Map<string, Passed[]>()

  constructor(most: number) {
    this.#most = most
  }

  get(name: string): ToolFacts | undefined {
    return this.#facts.get(name)
  }

  /** What was seen last is what holds. Gives the tools whose text was not judged yet. */
  see(tools: readonly ListedTool[]): ListedTool[] {
    const fresh: ListedTool[] = []
    for (const tool of tools) {
      const passed = this.#passed.get(tool.name)?.find(({ raw }) => raw.equals(tool.raw))
      if (passed === undefined) fresh.push(tool)
      const facts = passed?.facts ?? toolFacts(tool.definition)
      if (this.#facts.get(tool.name) !== facts) this.#remember(tool.name, facts)
    }
    return fresh
  }

  /** A text that may be shown: it is not judged again. */
  pass({ name, raw }: ListedTool): void {
    const facts = this.#facts.get(name)
    if (facts === undefined) return
    const others = this.#passed.get(name)?.slice(1 - mostTexts) ?? []
    // Copied, or it would keep the whole list.
    this.#passed.set(name, [...others, { raw: Buffer.from(raw), facts }])
  }

  /** What is approved has changed: every text is judged again. */
  distrust(): void {
    this.#passed.clear()
  }

  /** These were read since. */
  forget(names: Iterable<string>): void {
    for (const name of names) this.#facts.delete(name)
  }

  #remember(name: string, facts: ToolFacts): void {
    this.#facts.delete(name)
    this.#facts.set(name, facts)
    // The oldest go first.
    for (const oldest of this.#facts.keys()) {
      if (this.#facts.size <= this.#most) return
      this.#facts.delete(oldest)
      this.#passed.delete(oldest)
    }
  }
}
