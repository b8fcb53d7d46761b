import type { Command } from 'commander'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import { splitName } from './server.ts'
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
  leaf(program, 'tools [group/server]', 'list the tools you may use, of one server or of all').action(
    (name: string | undefined, options: SharedOptions) =>
      kit.online(options, 'Listing tools', async ({ api, reach }) => {
        if (name === undefined) return kit.showList(options, await api.list('/tools'), ofAll)
        const { withServer } = await import('./mcp-client.ts')
        const { tools } = await withServer(reach, splitName(name), client => client.listTools())
        const why = `No tool of ${name} is granted to you. Ask a manager of the group for access.`
        return kit.showList(
          options,
          { items: tools.filter(isObject), why: tools.length > 0 ? undefined : why },
          ofOne,
        )
      }),
  )
}

function isReadOnly(tool: JsonObject): boolean {
  return isObject(tool.annotations) && tool.annotations.readOnlyHint === true
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}
