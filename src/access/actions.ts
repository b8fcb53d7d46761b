/** What can be done to a server through MCP, as far as access cares. Every method row names one. */
export type Action =
  | 'server.use' // discover, initialize, ping, logging level: what any granted caller may do
  | 'tool.list'
  | 'tool.call'
  | 'resource.list'
  | 'resource.read'
  | 'prompt.list'
  | 'prompt.get'
