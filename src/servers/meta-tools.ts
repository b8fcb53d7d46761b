/** The three tools that stand for a long list of tools: what a model reads of them, and what they answer. */
import { isObject, type JsonObject } from '../foundation/json.ts'
import { openingOf, signatureOf } from './signature.ts'

export type MetaToolName = 'search_tools' | 'describe_tool' | 'call_tool'

/** How many tools a search finds when it is not told, and at most. */
export const searchLimit = { usual: 5, most: 20 } as const

const toolName = { type: 'string', description: 'The name of the tool, exactly as search_tools gave it.' }

/** Their definitions, as tools/list gives them. */
export const metaTools: readonly (JsonObject & { readonly name: MetaToolName })[] = [
  {
    name: 'search_tools',
    title: 'Search tools',
    description:
      'Finds tools by what you want to do. There are more tools here than are listed: search before you say that something ' +
      'cannot be done. Gives names, what they are for and their arguments, best first. If nothing fits, search again in other words.',
    inputSchema: {
      type: 'object',
      properties: {
        query: {
          type: 'string',
          minLength: 1,
          maxLength: 1000,
          description: 'What you want to do, in English, such as "create an issue in a repository".',
        },
        limit: {
          type: 'integer',
          minimum: 1,
          maximum: searchLimit.most,
          default: searchLimit.usual,
          description: 'At most so many tools.',
        },
      },
      required: ['query'],
      additionalProperties: false,
    },
    outputSchema: {
      type: 'object',
      properties: {
        tools: {
          type: 'array',
          description: 'The tools that fit, best first.',
          items: {
            type: 'object',
            properties: {
              name: { type: 'string' },
              description: { type: 'string', description: 'What it is for, in one line.' },
              arguments: {
                type: 'string',
                description: 'Its arguments and their types; ? marks what may be left out.',
              },
            },
            required: ['name', 'description', 'arguments'],
          },
        },
      },
      required: ['tools'],
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: 'describe_tool',
    title: 'Describe a tool',
    description:
      'Gives the whole definition of one tool: its description and the JSON Schema of its arguments. Needed when the line that ' +
      'search_tools gave does not say enough to call it.',
    inputSchema: {
      type: 'object',
      properties: { name: toolName },
      required: ['name'],
      additionalProperties: false,
    },
    outputSchema: {
      type: 'object',
      properties: { tool: { type: 'object', description: 'The definition, as tools/list would give it.' } },
      required: ['tool'],
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: 'call_tool',
    title: 'Call a tool',
    description: 'Calls one tool that search_tools found, and gives its answer as it is.',
    inputSchema: {
      type: 'object',
      properties: {
        name: toolName,
        arguments: {
          type: 'object',
          description: 'The arguments of that tool, by its own schema.',
          default: {},
        },
      },
      required: ['name'],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: false, destructiveHint: true, openWorldHint: true },
  },
]

/** A result of tools/call, for people and models to read and for programs to take apart. */
export type MetaToolResult = {
  readonly content: readonly [{ readonly type: 'text'; readonly text: string }]
  readonly structuredContent: JsonObject
}

export type NamedTool = { readonly name: string; readonly definition: JsonObject }

/** What search_tools answers: these tools, in this order. */
export function searchResult(found: readonly NamedTool[]): MetaToolResult {
  const tools = found.map(({ name, definition }) => ({
    name,
    description: openingOf(definition),
    arguments: signatureOf(definition.inputSchema),
  }))
  const lines = tools.map(tool => `${tool.name}(${tool.arguments}): ${tool.description}`)
  const empty =
    'No tool that you may use fits these words. Search again in other words, such as the verb and the thing it is done to.'
  return result(lines.length === 0 ? empty : lines.join('\n'), { tools })
}

/** What describe_tool answers; the definition has the name that the caller knows it by. */
export function describeResult(definition: JsonObject): MetaToolResult {
  const { name, description, inputSchema, outputSchema } = definition
  const parts = [
    `${String(name)}(${signatureOf(inputSchema)})`,
    ...(typeof description === 'string' ? [description] : []),
    `Arguments, as JSON Schema: ${JSON.stringify(inputSchema ?? { type: 'object' })}`,
    ...(isObject(outputSchema) ? [`Answer, as JSON Schema: ${JSON.stringify(outputSchema)}`] : []),
  ]
  return result(parts.join('\n\n'), { tool: definition })
}

function result(text: string, structuredContent: JsonObject): MetaToolResult {
  return { content: [{ type: 'text', text }], structuredContent }
}

// Definitions of 341 tools of 20 public servers have 4.49 bytes a token with o200k; single servers have 4.3 to 5.2.
const bytesPerToken = 4.5

/** About how many tokens a model reads for so many bytes of definitions, as JSON in UTF-8. */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / bytesPerToken)
}
