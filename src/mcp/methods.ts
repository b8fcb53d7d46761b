import type { Action } from '../access/index.ts'

export type ListKey = 'tools' | 'resources' | 'resourceTemplates' | 'prompts'

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
  /** Which parameter names the thing that is asked for. `ref` is completion's. */
  readonly subject?: 'name' | 'uri' | 'ref'
  readonly list?: ListKey
}

const row = (
  eras: MethodRow['eras'],
  shape: Shape,
  action: Action,
  more: Pick<MethodRow, 'subject' | 'list'> = {},
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
  ['tools/call', row('both', 'call', 'tool.call', { subject: 'name' })],
  ['resources/list', row('both', 'list', 'resource.list', { list: 'resources' })],
  ['resources/templates/list', row('both', 'list', 'resource.list', { list: 'resourceTemplates' })],
  ['resources/read', row('both', 'call', 'resource.read', { subject: 'uri' })],
  ['resources/subscribe', row('session', 'call', 'resource.read', { subject: 'uri' })],
  ['resources/unsubscribe', row('session', 'call', 'resource.read', { subject: 'uri' })],
  ['prompts/list', row('both', 'list', 'prompt.list', { list: 'prompts' })],
  ['prompts/get', row('both', 'call', 'prompt.get', { subject: 'name' })],
  ['completion/complete', row('both', 'call', 'prompt.get', { subject: 'ref' })],
  ['subscriptions/listen', row('stateless', 'listen', 'server.use')],
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
