import type { TargetTool } from '../access/index.ts'
import type { ToolFacts } from './tool-facts.ts'
import type { ToolPolicy } from './upstream.ts'

/** A tool as access decides about it: what its server claims, as far as that counts. */
export function targetTool(
  _server: { readonly policy: ToolPolicy },
  name: string,
  facts: ToolFacts | undefined,
): TargetTool {
  return { name, readOnly: facts?.readOnly === true }
}
