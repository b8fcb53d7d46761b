/** Why somebody who may use a server sees none of its tools, and what would change that. */
import type { TargetTool } from '../access/index.ts'
import { targetTool } from './target-tool.ts'
import type { ToolFacts } from './tool-facts.ts'
import type { ToolPolicy } from './upstream.ts'

type Server = { readonly group: string; readonly name: string; readonly policy: ToolPolicy }

/**
 * A sentence and what to do, where the reason is another than that nothing is granted: tools that are held, or a grant of what
 * only reads on a server whose tools nobody has confirmed. `may` is the decision about a tool.
 */
export function whyNoTools(
  server: Server,
  tools: Iterable<{ readonly name: string; readonly facts: ToolFacts | undefined }>,
  may: (tool: TargetTool) => boolean,
): string | undefined {
  const place = `${server.group}/${server.name}`
  let isUnconfirmed = false
  for (const { name, facts } of tools) {
    const tool = targetTool(server, name, facts)
    if (facts?.held !== undefined && may(tool))
      return `The tools granted to you are held until a manager of the group has looked at them: gatehouse tools review ${place}.`
    if (!tool.readOnly && may({ ...tool, readOnly: true })) isUnconfirmed = true
  }
  return isUnconfirmed ? unconfirmed(place) : undefined
}

function unconfirmed(place: string): string {
  return (
    `What only reads is granted to you, and no tool listed here is confirmed to do no more. A manager of the group confirms tools of ${place} ` +
    'under tools.readOnly, by name or glob, or lets what the server claims count with tools.annotations: claimed.'
  )
}
