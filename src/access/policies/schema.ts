/** The schema of Cedar that a statement is checked against: who asks, what for, and which arguments the tools in its scope take. */
import { argumentTypes, type CedarType, common, typeAt, written } from './argument-types.ts'
import type { SchemaJson, Type, TypeOfAttribute } from './cedar.ts'
import type { Offer } from './offers.ts'
import type { Reach } from './reach.ts'

export type ScopedTool = { readonly place: string; readonly types: CedarType }

export type InScope = {
  readonly tools: readonly ScopedTool[]
  /** Servers that were never read: nobody knows what their tools take. */
  readonly unread: readonly string[]
}

/** The tools a statement can be about. */
export function inScope({ resource }: Pick<Reach, 'resource'>, offers: readonly Offer[]): InScope {
  const key = resource.op === 'All' ? undefined : resource.op === 'is' ? resource.in : resource.key
  const isAll = key === undefined
  const tools: ScopedTool[] = []
  const unread: string[] = []
  for (const { group, server, tools: offered } of offers) {
    const place = `${group}/${server}`
    const isWhole = isAll || key === `Group::${group}` || key === `Server::${place}`
    if (offered === undefined && (isWhole || key.startsWith(`Tool::${place}/`))) unread.push(place)
    for (const { name, inputSchema } of offered ?? [])
      if (isWhole || key === `Tool::${place}/${name}`)
        tools.push({ place: `${place}/${name}`, types: argumentTypes(inputSchema) })
  }
  return { tools, unread }
}

/** The arguments of all of them. */
export function argumentsOf(tools: readonly ScopedTool[]): CedarType {
  return tools.map(({ types }) => types).reduce(common, { type: 'Record', attributes: new Map() })
}

/** Two tools that mean different things by one argument; undefined when they agree. */
export function disagreement(tools: readonly ScopedTool[], path: readonly string[]): string | undefined {
  let first: { readonly place: string; readonly type: CedarType } | undefined
  for (const { place, types } of tools) {
    const type = typeAt(types, path)
    if (type === undefined) continue
    if (type.type === 'Unknown') return `argument ${path.join('.')} has no single type in ${place}`
    first ??= { place, type }
    if (common(first.type, type).type === 'Unknown' || written(first.type) !== written(type)) {
      if (type.type === 'Record' && first.type.type === 'Record') continue
      const both = `${written(first.type)} in ${first.place} and ${written(type)} in ${place}`
      return `argument ${path.join('.')} is ${both}`
    }
  }
  return undefined
}

const text: Type<string> = { type: 'String' }
const whole: Type<string> = { type: 'Long' }
const flag: Type<string> = { type: 'Boolean' }

type Attributes = Record<string, TypeOfAttribute<string>>

function record(attributes: Attributes): Type<string> {
  return { type: 'Record', attributes }
}

const entityTypes = {
  Team: {},
  User: {
    memberOfTypes: ['Team'],
    shape: record({ email: text, role: text, teams: { type: 'Set', element: text } }),
  },
  Account: { shape: record({ name: text }) },
  Group: {},
  Server: { memberOfTypes: ['Group'], shape: record({ name: text }) },
  Tool: {
    memberOfTypes: ['Server', 'Group'],
    shape: record({ name: text, readOnly: flag, idempotent: flag }),
  },
  Resource: { memberOfTypes: ['Server', 'Group'], shape: record({ uri: text }) },
  Prompt: { memberOfTypes: ['Server', 'Group'], shape: record({ name: text }) },
}

const resources = {
  'server.use': 'Server',
  'tool.list': 'Server',
  'tool.call': 'Tool',
  'resource.list': 'Server',
  'resource.read': 'Resource',
  'prompt.list': 'Server',
  'prompt.get': 'Prompt',
} as const

/** Every action, and the group of all of them. */
export const actionNames: ReadonlySet<string> = new Set(['use', ...Object.keys(resources)])

/** `of` are the arguments of tools; prompts take what they take as text, the rest takes none. */
export function schemaFor(of: CedarType, prompts: Iterable<string> = []): SchemaJson<string> {
  const actions = Object.entries(resources).map(([action, resource]) => {
    const taken = action === 'tool.call' ? attributesOf(of) : action === 'prompt.get' ? textsOf(prompts) : {}
    const appliesTo = {
      principalTypes: ['User', 'Account'],
      resourceTypes: [resource],
      context: contextType(taken),
    }
    return [action, { memberOf: [{ id: 'use' }], appliesTo }] as const
  })
  return { '': { entityTypes, actions: { use: {}, ...Object.fromEntries(actions) } } }
}

function contextType(taken: Attributes): Type<string> {
  return record({
    arguments: record(taken),
    time: whole,
    hour: whole,
    weekday: whole,
    address: { type: 'Extension', name: 'ipaddr' },
    protocol: text,
    era: text,
  })
}

function textsOf(names: Iterable<string>): Attributes {
  return Object.fromEntries([...names].map(name => [name, { ...text, required: false }]))
}

function attributesOf(type: CedarType): Attributes {
  if (type.type !== 'Record') return {}
  const known = [...type.attributes].filter(([, inner]) => inner.type !== 'Unknown')
  return Object.fromEntries(known.map(([name, inner]) => [name, { ...cedarType(inner), required: false }]))
}

function cedarType(type: CedarType): Type<string> {
  switch (type.type) {
    case 'Record':
      return record(attributesOf(type))
    case 'Set':
      return { type: 'Set', element: cedarType(type.element) }
    case 'Decimal':
      return { type: 'Extension', name: 'decimal' }
    case 'Long':
      return whole
    case 'Boolean':
      return flag
    default:
      return text
  }
}

/** Every argument that the tools disagree about. */
export function conflicts(tools: readonly ScopedTool[]): string[] {
  const names = new Set(
    tools.flatMap(({ types }) => (types.type === 'Record' ? [...types.attributes.keys()] : [])),
  )
  return [...names].sort().flatMap(name => disagreement(tools, [name]) ?? [])
}
