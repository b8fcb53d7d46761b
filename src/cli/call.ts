import type { Client } from '@modelcontextprotocol/client'
import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { addressOf } from './address.ts'
import { exitCodes } from './command-error.ts'
import { jsonText, type Kit, oneMore, type SharedOptions, shared } from './kit.ts'
import { plain } from './table.ts'

type CallOptions = Omit<SharedOptions, 'json'> & {
  readonly arg?: string[]
  /** Alone it asks for the raw result; with a value it gives the arguments. */
  readonly json?: true | string
  readonly raw?: boolean
}

export function addCallCommand(program: Command, kit: Kit): void {
  shared(
    program
      .command('call <group/server> <tool>')
      .description('call a tool, as any client would; of /mcp, one of all you may use'),
  )
    .option('--arg <name=value>', 'one argument; may be repeated', oneMore)
    .option('--json [arguments]', 'all arguments as a JSON object; without a value: print the raw result')
    .option('--raw', 'print the raw result as JSON')
    .action((name: string, tool: string, options: CallOptions) => {
      const { json, ...rest } = options
      const asJson = options.raw === true || json === true
      return kit.online({ ...rest, json: asJson }, `Calling ${tool}`, async ({ reach }) => {
        const { withServer } = await import('./mcp-client.ts')
        const result = await withServer(reach, addressOf(name), async client => {
          const given = typeof json === 'string' ? objectOf(json) : {}
          const named = await typed(client, tool, options.arg ?? [])
          return client.callTool(
            { name: tool, arguments: { ...given, ...named } },
            { timeout: callMilliseconds },
          )
        })
        if (isObject(result)) show(kit, result, asJson)
      })
    })
}

// The gateway has the deadline of a call; this only ends a wait for a gateway that is gone.
const callMilliseconds = 15 * 60_000

function objectOf(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch (cause) {
    return fail('cli.usage', { why: 'The value of --json does not parse as JSON.', cause })
  }
  return fail('cli.usage', { why: 'The value of --json is not a JSON object.' })
}

/** `name=value` texts as the types the tool declares: what it has as a string stays text, the rest is read as JSON. */
async function typed(client: Client, tool: string, texts: readonly string[]): Promise<JsonObject> {
  if (texts.length === 0) return {}
  const { tools } = await client.listTools()
  const properties = tools.find(({ name }) => name === tool)?.inputSchema.properties ?? {}
  const values: Record<string, unknown> = {}
  for (const text of texts) {
    const at = text.indexOf('=')
    if (at < 1) fail('cli.usage', { why: 'A value of --arg lacks the = between name and value.' })
    const name = text.slice(0, at)
    const property: unknown = properties[name]
    const isText = isObject(property) && property.type === 'string'
    values[name] = isText ? text.slice(at + 1) : jsonOrText(text.slice(at + 1))
  }
  return values
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function show(kit: Kit, result: JsonObject, asJson: boolean): void {
  if (asJson) kit.terminal.line(jsonText(result, kit.terminal))
  else for (const line of linesOf(result)) kit.terminal.line(line)
  if (result.isError === true) kit.setExitCode(exitCodes.failed)
}

function linesOf(result: JsonObject): string[] {
  const content = Array.isArray(result.content) ? result.content.filter(isObject) : []
  if (content.length === 0 && result.structuredContent !== undefined)
    return [JSON.stringify(result.structuredContent, undefined, 2)]
  return content.map(block => (typeof block.text === 'string' ? plain(block.text) : placeholder(block)))
}

/** What a terminal cannot show, by its kind. */
function placeholder(block: JsonObject): string {
  const size = typeof block.data === 'string' ? `, ${Math.floor((block.data.length * 3) / 4)} bytes` : ''
  const resource = isObject(block.resource) ? block.resource : block
  return plain(`[${String(block.type)} ${String(block.mimeType ?? resource.uri ?? '')}${size}]`)
}
