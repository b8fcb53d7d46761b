/** What is relayed end to end between a client and a server of one era, and so may be advertised to the other. */
import { isObject, type JsonObject } from '../foundation/json.ts'
import type { Era } from '../upstreams/index.ts'

type Relayed = {
  readonly era: Era | 'both'
  /** Methods that are there because of it. */
  readonly methods: readonly string[]
}

export const tasksExtension = 'io.modelcontextprotocol/tasks'

/** THE TABLE: every extension that is relayed. Others are not advertised, for their methods would not be found. */
export const relayedExtensions: ReadonlyMap<string, Relayed> = new Map([
  ['io.modelcontextprotocol/ui', { era: 'both', methods: [] }],
  [
    'io.modelcontextprotocol/skills',
    { era: 'both', methods: ['skills/list', 'skills/get', 'resources/directory/read'] },
  ],
  [tasksExtension, { era: 'stateless', methods: ['tasks/get', 'tasks/update', 'tasks/cancel'] }],
])

/** Tasks as the core of revision 2025-11-25 has them, a capability of servers. What a server may ask of a client is not relayed as a task. */
export const coreTasks: Relayed = {
  era: 'session',
  methods: ['tasks/get', 'tasks/result', 'tasks/list', 'tasks/cancel'],
}

/** Two ends that find out about each other. */
export type Pair = {
  readonly era: Era
  /** Server and client speak different eras. Between them nothing but the core is relayed. */
  readonly isCrossed: boolean
}

const optional = new Set([...relayedExtensions.values(), coreTasks].flatMap(({ methods }) => methods))

/** Is the method one of an extension, and so only there between a client and a server of one era? */
export function isOptional(method: string): boolean {
  return optional.has(method)
}

/** Capabilities of one end without what the gateway does not relay. Undefined when nothing is to be changed. */
export function relayedCapabilities(
  capabilities: unknown,
  { of, era, isCrossed }: Pair & { readonly of: 'client' | 'server' },
): JsonObject | undefined {
  if (!isObject(capabilities)) return undefined
  const { tasks, extensions, ...rest } = capabilities
  const all = Object.entries(isObject(extensions) ? extensions : {})
  const kept = isCrossed ? [] : all.filter(([name]) => isRelayed(relayedExtensions.get(name), era))
  if (tasks === undefined && kept.length === all.length) return undefined
  const mayHaveTasks = of === 'server' && !isCrossed && isRelayed(coreTasks, era)
  return {
    ...rest,
    ...(mayHaveTasks && isObject(tasks) ? { tasks: relayedTasks(tasks) } : {}),
    ...(kept.length === 0 ? {} : { extensions: Object.fromEntries(kept) }),
  }
}

function isRelayed(relayed: Relayed | undefined, era: Era): boolean {
  return relayed !== undefined && (relayed.era === 'both' || relayed.era === era)
}

// Calls of tools and nothing else can be tasks here.
function relayedTasks({ list, cancel, requests }: JsonObject): JsonObject {
  const tools = isObject(requests) && isObject(requests.tools) ? requests.tools : {}
  return {
    ...(list === undefined ? {} : { list }),
    ...(cancel === undefined ? {} : { cancel }),
    requests: tools.call === undefined ? {} : { tools: { call: tools.call } },
  }
}

/** Does the client say in this request of the stateless era that it knows the extension? */
export function declares(capabilities: unknown, extension: string): boolean {
  return (
    isObject(capabilities) &&
    isObject(capabilities.extensions) &&
    isObject(capabilities.extensions[extension])
  )
}
