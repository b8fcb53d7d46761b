/** What changed between two definitions of one tool, in sentences for the person who has to say whether it may. */
import { isObject, type JsonObject } from '../foundation/json.ts'
import { changeOf, type DefinitionChange, type Sides, sidesOf, verb } from './definition-change.ts'
import { diffSchemas, isSame } from './schema-diff.ts'

export { type ChangeKind, type DefinitionChange, definitionChange } from './definition-change.ts'

/** Empty when both are the same, and only then. */
export function diffDefinitions(from: JsonObject, to: JsonObject): DefinitionChange[] {
  return sidesOf({ from, to }).flatMap(({ key, sides }) =>
    isSame(sides.from, sides.to) ? [] : diffMember(key, sides),
  )
}

function diffMember(key: string, sides: Sides): DefinitionChange[] {
  const { from, to } = sides
  const happened = verb(from, to)
  switch (key) {
    case 'title':
    case 'description':
      return [changeOf(key, sides, { additive: false, sentence: `The ${key} ${happened}.` })]
    case 'inputSchema':
      return diffSchemas(sides, 'input')
    case 'outputSchema':
      if (from !== undefined && to !== undefined) return diffSchemas(sides, 'output')
      return [
        changeOf('output-schema', sides, {
          additive: from === undefined,
          sentence: `The schema of its results ${happened}.`,
        }),
      ]
    case 'annotations':
      return diffAnnotations(sides)
    case 'icons':
      return [changeOf('icons', sides, { additive: false, sentence: `Its icons ${changedMany(happened)}.` })]
    case 'execution':
      return diffExecution(sides)
    case '_meta':
      return diffMeta(sides)
    default:
      return [other(sides)]
  }
}

function changedMany(happened: string): string {
  return happened.replace(/^was /, 'were ')
}

function other(sides: Sides): DefinitionChange {
  return changeOf('other', sides, {
    additive: false,
    sentence: `Something else about it ${verb(sides.from, sides.to)}: ${sides.path}.`,
  })
}

/** What a tool is taken to be that does not say (MCP 2025-11-25 and 2026-07-28, schema, ToolAnnotations), and the words for what it claims. */
const hints: ReadonlyMap<string, { unsaid: boolean; harmless: boolean; claims: readonly [string, string] }> =
  new Map([
    [
      'readOnlyHint',
      { unsaid: false, harmless: true, claims: ['that it may change things', 'that it only reads'] },
    ],
    [
      'destructiveHint',
      { unsaid: true, harmless: false, claims: ['that it destroys nothing', 'that it may destroy things'] },
    ],
    [
      'idempotentHint',
      {
        unsaid: false,
        harmless: true,
        claims: ['that twice is more than once', 'that twice is as good as once'],
      },
    ],
    [
      'openWorldHint',
      {
        unsaid: true,
        harmless: false,
        claims: ['that it reaches nothing outside', 'that it may reach outside'],
      },
    ],
  ])

function diffAnnotations({ path, from = {}, to = {} }: Sides): DefinitionChange[] {
  if (!isObject(from) || !isObject(to)) return [other({ path, from, to })]
  const changes = sidesOf({ from, to }, path).flatMap(({ key, sides }) =>
    isSame(sides.from, sides.to) ? [] : [diffAnnotation(key, sides)],
  )
  // Annotations that say nothing say what none say.
  const sentence = 'Its annotations are written in another way and say the same.'
  return changes.length > 0
    ? changes
    : [changeOf('annotations', { path, from, to }, { additive: true, sentence })]
}

function diffAnnotation(key: string, sides: Sides): DefinitionChange {
  const { from, to } = sides
  if (key === 'title')
    return changeOf('title', sides, {
      additive: false,
      sentence: `Its title as an annotation ${verb(from, to)}.`,
    })
  const hint = hints.get(key)
  if (hint === undefined || !isHint(from) || !isHint(to))
    return changeOf('annotations', sides, {
      additive: false,
      sentence: `The annotation ${key} ${verb(from, to)}.`,
    })
  const [before, after] = [from ?? hint.unsaid, to ?? hint.unsaid]
  const claim = hint.claims[after ? 1 : 0]
  if (before === after)
    return changeOf('annotations', sides, {
      additive: true,
      sentence: `It says now what held before: ${claim}.`,
    })
  const strength = after === hint.harmless ? 'more' : 'less'
  return changeOf('annotations', sides, {
    additive: false,
    sentence: `It claims ${strength} than before: ${claim}.`,
  })
}

function isHint(value: unknown): value is boolean | undefined {
  return value === undefined || typeof value === 'boolean'
}

const taskSupport: ReadonlySet<unknown> = new Set([undefined, 'forbidden', 'optional', 'required'])

/** How it may be run has no words of the server's own in it; revisions differ in whether they show it. */
function diffExecution(sides: Sides): DefinitionChange[] {
  const isKnown = (value: unknown) =>
    value === undefined ||
    (isObject(value) &&
      Object.keys(value).every(key => key === 'taskSupport') &&
      taskSupport.has(value.taskSupport))
  if (!isKnown(sides.from) || !isKnown(sides.to)) return [other(sides)]
  return [
    changeOf('execution', sides, {
      additive: true,
      sentence: `Whether it can run as a task ${verb(sides.from, sides.to)}.`,
    }),
  ]
}

function diffMeta({ path, from = {}, to = {} }: Sides): DefinitionChange[] {
  if (!isObject(from) || !isObject(to)) return [other({ path, from, to })]
  const changes = sidesOf({ from, to }, path).flatMap(({ key, sides }) => {
    if (isSame(sides.from, sides.to)) return []
    if (key !== 'ui') return [other(sides)]
    const sentence = `The user interface that belongs to it ${verb(sides.from, sides.to)}.`
    return [changeOf('ui', sides, { additive: false, sentence })]
  })
  return changes.length > 0 ? changes : [other({ path, from, to })]
}
