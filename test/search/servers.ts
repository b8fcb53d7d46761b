/** The public servers whose catalogues the search is measured on: packages of npm that list their tools over stdio without an account. */

export type PublicServer = {
  /** What the server is called where it is registered. */
  readonly name: string
  readonly package: string
  readonly version: string
  readonly args?: readonly string[]
  /** Keys that must be set, though listing needs no true one. */
  readonly env?: Readonly<Record<string, string>>
}

export const publicServers: readonly PublicServer[] = [
  { name: 'everything', package: '@modelcontextprotocol/server-everything', version: '2026.8.31' },
  {
    name: 'filesystem',
    package: '@modelcontextprotocol/server-filesystem',
    version: '2026.8.31',
    args: ['.'],
  },
  { name: 'memory', package: '@modelcontextprotocol/server-memory', version: '2026.8.31' },
  { name: 'thinking', package: '@modelcontextprotocol/server-sequential-thinking', version: '2026.8.31' },
  {
    name: 'github',
    package: '@modelcontextprotocol/server-github',
    version: '2025.4.8',
    env: { GITHUB_PERSONAL_ACCESS_TOKEN: 'none' },
  },
  {
    name: 'slack',
    package: '@modelcontextprotocol/server-slack',
    version: '2025.4.25',
    env: { SLACK_BOT_TOKEN: 'xoxb-none', SLACK_TEAM_ID: 'none' },
  },
  {
    name: 'maps',
    package: '@modelcontextprotocol/server-google-maps',
    version: '0.6.2',
    env: { GOOGLE_MAPS_API_KEY: 'none' },
  },
  {
    name: 'employees',
    package: '@bytebase/dbhub',
    version: '1.4.0',
    args: ['--transport', 'stdio', '--demo'],
  },
  { name: 'playwright', package: '@playwright/mcp', version: '0.0.83', args: ['--headless'] },
  { name: 'devtools', package: 'chrome-devtools-mcp', version: '1.11.0', args: ['--headless'] },
  { name: 'kubernetes', package: 'mcp-server-kubernetes', version: '4.1.7' },
  { name: 'firecrawl', package: 'firecrawl-mcp', version: '3.26.0', env: { FIRECRAWL_API_KEY: 'none' } },
  { name: 'notion', package: '@notionhq/notion-mcp-server', version: '2.5.2', env: { NOTION_TOKEN: 'none' } },
  { name: 'chart', package: '@antv/mcp-server-chart', version: '0.9.10' },
  { name: 'desktop', package: '@wonderwhy-er/desktop-commander', version: '0.2.52' },
  { name: 'tavily', package: 'tavily-mcp', version: '0.2.22', env: { TAVILY_API_KEY: 'none' } },
  { name: 'mongodb', package: 'mongodb-mcp-server', version: '3.0.4' },
  { name: 'context7', package: '@upstash/context7-mcp', version: '4.1.1' },
  { name: 'git', package: '@cyanheads/git-mcp-server', version: '2.15.3' },
  {
    name: 'circleci',
    package: '@circleci/mcp-server-circleci',
    version: '0.20.0',
    env: { CIRCLECI_TOKEN: 'none' },
  },
]
