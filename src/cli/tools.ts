import type { Command } from 'commander'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { addressOf } from './address.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import type { Reach } from './reach.ts'
import { addReviewCommands } from './review.ts'
import { type Column, cell } from './table.ts'

const description: Column = ['DESCRIPTION', item => shortened(cell(item.description))]
const ofAll: readonly Column[] = [
  ['SERVER', 'server'],
  ['TOOL', 'name'],
  [
    'DESCRIPTION',
    ({ definition }) => (isObject(definition) ? shortened(cell(definition.description)) : undefined),
  ],
]
const ofOne: readonly Column[] = [['TOOL', 'name'], ['READ-ONLY', isReadOnly], description]

export function addToolsCommand(program: Command, kit: Kit): void {
  const tools = leaf(
    program,
    'tools [group/server]',
    'list the tools you may use, of one server or of all; or review, approve and hold those you manage',
  )
    // The commands below it have options of the same names.
    .enablePositionalOptions()
    .action((name: string | undefined, options: SharedOptions) =>
      kit.online(options, 'Listing tools', async ({ api, reach }) =>
        kit.showList(
          options,
          name === undefined ? await api.list('/tools') : await ofServer(reach, name),
          name === undefined ? ofAll : ofOne,
        ),
      ),
    )
  addReviewCommands(tools, kit)
}

async function ofServer(reach: Reach, name: string) {
  const { withServer } = await import('./mcp-client.ts')
  const { tools, _meta } = await withServer(reach, addressOf(name), client => client.listTools())
  const none = `No tool of ${name} is granted to you. Ask a manager of the group for access.`
  const why = String(_meta?.['dev.gatehouse/why'] ?? none)
  return { items: tools.filter(isObject), why: tools.length > 0 ? undefined : why }
}

function isReadOnly(tool: JsonObject): boolean {
  return isObject(tool.annotations) && tool.annotations.readOnlyHint === true
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}
