/** Every client of the matrix, in the order of the page. */
import * as agents from './agents.ts'
import type { ClientKind } from './client-kind.ts'
import { inspector } from './inspector.ts'
import * as library from './libraries.ts'

export const clients: readonly ClientKind[] = [
  library.fastmcpClient,
  library.sdkV1,
  library.sdkV2Legacy,
  library.sdkV2Auto,
  library.sdkV2Pinned,
  library.mcpRemote,
  inspector,
  library.aiSdk,
  library.langchain,
  library.openaiAgents,
  agents.claudeCode,
  agents.codex,
  agents.gemini,
  agents.qwenCode,
  agents.opencode,
  agents.copilot,
  agents.continueCli,
]
