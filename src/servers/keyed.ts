/** A definition without order: sources, tools and prompts by their names, so that two can be compared part by part. */
import { canonical, type JsonObject } from '../foundation/json.ts'
import type { Definition, PromptChoice, Source, ToolChoice } from './definition.ts'

export function keyed({ instructions, sources }: Definition): JsonObject {
  return {
    ...(instructions === undefined ? {} : { instructions }),
    sources: Object.fromEntries(sources.map(source => [source.server, keyedSource(source)])),
  }
}

function keyedSource({ tools, resources, prompts }: Source): JsonObject {
  return {
    ...(tools === undefined ? {} : { tools: byName(tools) }),
    ...(resources === undefined ? {} : { resources: byName(resources) }),
    ...(prompts === undefined ? {} : { prompts: byName(prompts) }),
  }
}

function byName(choices: string | readonly (ToolChoice | PromptChoice)[]): unknown {
  if (typeof choices === 'string') return choices
  const entries = choices.map(choice => {
    if (typeof choice === 'string') return [choice, {}] as const
    const { name, ...changed } = choice
    return [name, changed] as const
  })
  // What is said of one thing goes before that it is named.
  return Object.fromEntries(entries.toSorted(([, a], [, b]) => size(a) - size(b)))
}

function size(value: object): number {
  return Object.keys(value).length
}

export function isSameDefinition(a: Definition, b: Definition): boolean {
  return canonical(keyed(a)) === canonical(keyed(b))
}
