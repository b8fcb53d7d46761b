/** The coding agents, each with the configuration its documentation tells people to write. */
import { type AgentPlace, agent, PROMPT } from './agent.ts'

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
const json = (value: unknown) => JSON.stringify(value, undefined, 2)
const platform = `${process.platform}-${process.arch}`

/** The configuration that several of them share: `{"mcpServers": {name: {...}}}`. */
function mcpServers({ servers, token }: AgentPlace, entry: (url: string) => object) {
  const entries = servers.map(({ name, url }) => [name, { ...entry(url), headers: bearer(token) }])
  return { mcpServers: Object.fromEntries(entries) }
}

export const claudeCode = agent({
  name: 'claude-code',
  title: 'Claude Code',
  how: '`claude -p` with `--mcp-config`, model scripted',
  package: '@anthropic-ai/claude-code',
  version: '2.1.332',
  program: () => [`@anthropic-ai/claude-code-${platform}/claude`],
  prepare: place => {
    place.write('mcp.json', json(mcpServers(place, url => ({ type: 'http', url }))))
    const config = ['--mcp-config', `${place.home}/mcp.json`, '--strict-mcp-config']
    const allowed = ['--allowedTools', place.servers.map(({ name }) => `mcp__${name}`).join(',')]
    return {
      args: ['-p', PROMPT, ...config, ...allowed],
      env: {
        ANTHROPIC_BASE_URL: place.model,
        ANTHROPIC_API_KEY: 'none',
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
        // Else the tools of many servers are found by searching, which a script cannot.
        ENABLE_TOOL_SEARCH: 'false',
        MCP_CONNECTION_NONBLOCKING: '0',
      },
    }
  },
})

export const codex = agent({
  name: 'codex',
  title: 'Codex',
  how: '`codex exec` with `config.toml`, model scripted',
  package: '@openai/codex',
  version: '0.171.0',
  program: () => ['@openai/codex/bin/codex.js'],
  prepare: ({ servers, token, model, write }) => {
    const sections = servers.map(
      ({ name, url }) =>
        `[mcp_servers.${name}]\nurl = "${url}"\nbearer_token_env_var = "GATEHOUSE_TOKEN"\nstartup_timeout_sec = 60\n` +
        'default_tools_approval_mode = "approve"\n',
    )
    const provider = `[model_providers.scripted]\nname = "scripted"\nbase_url = "${model}/v1"\nwire_api = "responses"\n`
    write(
      '.codex/config.toml',
      `model = "scripted"\nmodel_provider = "scripted"\n\n${provider}\n${sections.join('\n')}`,
    )
    return {
      args: ['exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', PROMPT],
      env: { GATEHOUSE_TOKEN: token },
    }
  },
})

export const gemini = agent({
  name: 'gemini',
  title: 'Gemini CLI',
  how: '`gemini -p` with `settings.json`, model scripted',
  package: '@google/gemini-cli',
  version: '0.61.0',
  program: () => ['@google/gemini-cli/bundle/gemini.js'],
  prepare: place => {
    const settings = {
      ...mcpServers(place, url => ({ type: 'http', url, trust: true })),
      security: { auth: { selectedType: 'gemini-api-key' } },
      privacy: { usageStatisticsEnabled: false },
      general: { disableAutoUpdate: true },
    }
    place.write('.gemini/settings.json', json(settings))
    return {
      args: ['-p', PROMPT, '--yolo', '--model', 'gemini-2.5-pro'],
      env: {
        GEMINI_API_KEY: 'none',
        GOOGLE_GEMINI_BASE_URL: place.model,
        GEMINI_CLI_TRUST_WORKSPACE: 'true',
      },
    }
  },
})

export const qwenCode = agent({
  name: 'qwen-code',
  title: 'Qwen Code',
  how: '`qwen` with `settings.json`, model scripted',
  package: '@qwen-code/qwen-code',
  version: '0.24.4',
  program: () => ['@qwen-code/qwen-code/cli-entry.js'],
  prepare: place => {
    const entries = place.servers.map(({ name, url }) => {
      return [name, { httpUrl: url, headers: bearer(place.token), trust: true }]
    })
    const settings = {
      mcpServers: Object.fromEntries(entries),
      security: { auth: { selectedType: 'openai' } },
      privacy: { usageStatisticsEnabled: false },
      general: { disableAutoUpdate: true },
      // Offer every tool at once; a script cannot search for them.
      tools: { toolSearch: { threshold: 100 } },
    }
    place.write('.qwen/settings.json', json(settings))
    return {
      args: [PROMPT, '--yolo'],
      env: {
        OPENAI_API_KEY: 'none',
        OPENAI_BASE_URL: `${place.model}/v1`,
        OPENAI_MODEL: 'scripted',
        // Else it begins to talk before its servers are connected.
        QWEN_CODE_LEGACY_MCP_BLOCKING: '1',
      },
    }
  },
})

/** Also what signs in by itself, in test/fixtures/opencode.ts. */
export const opencodePackage = {
  package: 'opencode-ai',
  version: '1.18.33',
  program: () => [`opencode-${platform}/bin/opencode`],
} as const

export const opencode = agent({
  name: 'opencode',
  title: 'opencode',
  how: '`opencode run` with `opencode.json`, model scripted',
  ...opencodePackage,
  prepare: ({ servers, token, model, write }) => {
    const entries = servers.map(({ name, url }) => {
      return [name, { type: 'remote', url, enabled: true, oauth: false, headers: bearer(token) }]
    })
    const provider = {
      npm: '@ai-sdk/openai-compatible',
      options: { baseURL: `${model}/v1`, apiKey: 'none' },
      models: { scripted: { name: 'scripted', tool_call: true } },
    }
    const config = {
      mcp: Object.fromEntries(entries),
      provider: { scripted: provider },
      model: 'scripted/scripted',
      small_model: 'scripted/scripted',
      autoupdate: false,
      share: 'disabled',
      permission: 'allow',
    }
    write('.config/opencode/opencode.json', json(config))
    return { args: ['run', PROMPT], env: { OPENCODE_DISABLE_MODELS_FETCH: '1' } }
  },
})

export const copilot = agent({
  name: 'copilot',
  title: 'GitHub Copilot CLI',
  how: '`copilot -p` with `mcp-config.json`, offline, model scripted',
  package: '@github/copilot',
  version: '1.0.102',
  program: () => ['@github/copilot/npm-loader.js'],
  prepare: place => {
    place.write(
      '.copilot/mcp-config.json',
      json(mcpServers(place, url => ({ type: 'http', url, tools: ['*'] }))),
    )
    return {
      args: ['-p', PROMPT, '--allow-all-tools', '--no-auto-update'],
      env: {
        COPILOT_OFFLINE: 'true',
        COPILOT_PROVIDER_BASE_URL: `${place.model}/v1`,
        COPILOT_MODEL: 'scripted',
      },
    }
  },
})

export const continueCli = agent({
  name: 'continue',
  title: 'Continue CLI',
  how: '`cn -p` with `config.yaml`, one process for each server, model scripted',
  isOneByOne: true,
  package: '@continuedev/cli',
  version: '1.5.47',
  program: () => ['@continuedev/cli/dist/cn.js'],
  prepare: ({ servers, token, model, home, write }) => {
    const config = {
      name: 'scripted',
      version: '1.0.0',
      schema: 'v1',
      models: [
        {
          name: 'scripted',
          provider: 'openai',
          model: 'scripted',
          apiBase: `${model}/v1`,
          apiKey: 'none',
          roles: ['chat'],
          capabilities: ['tool_use'],
        },
      ],
      mcpServers: servers.map(({ name, url }) => {
        return { name, type: 'streamable-http', url, requestOptions: { headers: bearer(token) } }
      }),
    }
    // JSON is YAML.
    write('config.yaml', json(config))
    return {
      args: ['-p', PROMPT, '--config', `${home}/config.yaml`, '--allow', '*', '--auto'],
      env: { CONTINUE_TELEMETRY_ENABLED: '0', CONTINUE_CLI_DISABLE_AUTO_UPDATE: '1' },
    }
  },
})
