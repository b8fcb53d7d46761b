import type { Action } from '../access/index.ts'

export type ListKey = 'tools' | 'resources' | 'resourceTemplates' | 'prompts' | 'skills' | 'tasks'

/**
 * What the gateway does with a method. `call`: one request, its answer streamed back. `list`: the answer is held and what the
 * caller may not use is taken out. `discover`: the answer is held and reduced to what the gateway relays. `listen`: a stream that stays open.
 * `ping`: answered here.
 */
export type Shape = 'call' | 'list' | 'discover' | 'listen' | 'ping'

export type MethodRow = {
  readonly eras: 'session' | 'stateless' | 'both'
  readonly shape: Shape
  readonly action: Action
  /** Which parameter names the thing that is asked for. `ref` is completion's; `task` is the tool of the task that `taskId` names. */
  readonly subject?: 'name' | 'uri' | 'ref' | 'task'
  /** Where the items of a list stand in its answer. */
  readonly list?: ListKey
  /** In the stateless era its answer may ask back (MCP 2026-07-28, basic/patterns/mrtr). */
  readonly asks?: true
  /** In the stateless era the header Mcp-Name mirrors its subject (ibid., basic/transports/streamable-http). */
  readonly named?: true
}

const row = (
  eras: MethodRow['eras'],
  shape: Shape,
  action: Action,
  more: Omit<MethodRow, 'eras' | 'shape' | 'action'> = {},
): MethodRow => ({
  eras,
  shape,
  action,
  ...more,
})

/** THE TABLE: every request a client may make. What is not here does not exist. (`initialize` opens a session and has its own door.) */
export const methods: ReadonlyMap<string, MethodRow> = new Map([
  ['server/discover', row('stateless', 'discover', 'server.use')],
  ['ping', row('session', 'ping', 'server.use')],
  ['logging/setLevel', row('session', 'call', 'server.use')],
  ['tools/list', row('both', 'list', 'tool.list', { list: 'tools' })],
  ['tools/call', row('both', 'call', 'tool.call', { subject: 'name', asks: true, named: true })],
  ['resources/list', row('both', 'list', 'resource.list', { list: 'resources' })],
  ['resources/templates/list', row('both', 'list', 'resource.list', { list: 'resourceTemplates' })],
  ['resources/read', row('both', 'call', 'resource.read', { subject: 'uri', asks: true, named: true })],
  ['resources/directory/read', row('both', 'list', 'resource.read', { subject: 'uri', list: 'resources' })],
  ['resources/subscribe', row('session', 'call', 'resource.read', { subject: 'uri' })],
  ['resources/unsubscribe', row('session', 'call', 'resource.read', { subject: 'uri' })],
  ['prompts/list', row('both', 'list', 'prompt.list', { list: 'prompts' })],
  ['prompts/get', row('both', 'call', 'prompt.get', { subject: 'name', asks: true, named: true })],
  ['completion/complete', row('both', 'call', 'prompt.get', { subject: 'ref' })],
  ['subscriptions/listen', row('stateless', 'listen', 'server.use')],
  ['skills/list', row('both', 'list', 'resource.list', { list: 'skills' })],
  ['skills/get', row('both', 'call', 'resource.read', { subject: 'uri' })],
  ['tasks/get', row('both', 'call', 'tool.call', { subject: 'task', named: true })],
  ['tasks/update', row('stateless', 'call', 'tool.call', { subject: 'task', named: true })],
  ['tasks/cancel', row('both', 'call', 'tool.call', { subject: 'task', named: true })],
  ['tasks/result', row('session', 'call', 'tool.call', { subject: 'task' })],
  ['tasks/list', row('session', 'list', 'tool.list', { list: 'tasks' })],
])

/** Notifications a session-era client may send. What is not here is taken and dropped, as JSON-RPC has it. */
export const clientNotifications: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
])

/** Requests a session-era server may make of its client. */
export const serverRequests: ReadonlySet<string> = new Set([
  'sampling/createMessage',
  'elicitation/create',
  'roots/list',
  'ping',
])
