import { covers, type TargetTool } from '../access/index.ts'
import type { ToolFacts } from './tool-facts.ts'
import type { ToolPolicy } from './upstream.ts'

/**
 * A tool as access decides about it: what the managers of its server have confirmed, and what it claims itself where the
 * tool policy says that claims count.
 */
export function targetTool(
  { policy }: { readonly policy: ToolPolicy },
  name: string,
  facts: ToolFacts | undefined,
): TargetTool {
  const claims = policy.annotations === 'claimed' ? facts : undefined
  return {
    name,
    readOnly: isConfirmed(policy.readOnly, name) || claims?.readOnly === true,
    idempotent: isConfirmed(policy.idempotent, name) || claims?.idempotent === true,
  }
}

function isConfirmed(globs: readonly string[] | undefined, name: string): boolean {
  return globs?.some(glob => covers(glob, name)) ?? false
}
