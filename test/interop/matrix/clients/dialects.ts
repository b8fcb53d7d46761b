/** The four ways in which agents talk to models, as far as a script needs them: tools offered, results given, a call or the end. */
import * as z from 'zod'

export type Offer = { readonly namespace?: string; readonly name: string }
export type Step = {
  readonly id: string
  readonly offer: Offer
  readonly arguments: Readonly<Record<string, unknown>>
}

export type Dialect = {
  readonly path: RegExp
  read(body: unknown): {
    readonly offers: readonly Offer[]
    /** By the id of the call, or by the tool's name where calls have none. */
    readonly answers: ReadonlyMap<string, string>
    readonly isStream: boolean
  }
  /** A call, or the end of the turn. */
  say(step: Step | undefined, isStream: boolean): string
}

const DONE = 'Done.'
const named = z.object({ name: z.string() })
const loose = z.unknown()
const isStream = z.boolean().default(false)
const block = z.object({ type: z.string(), text: z.string().optional() })
const content = z.union([z.string(), z.array(z.looseObject(block.shape))])

function spoken(of: z.infer<typeof content> | undefined): string {
  return typeof of === 'string' ? of : (of ?? []).map(one => one.text ?? '').join('\n')
}

const event = (value: unknown, name?: string) =>
  `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(value)}\n\n`
const typed = (...events: { type: string }[]) => events.map(one => event(one, one.type)).join('')

const messagesBody = z.object({
  stream: isStream,
  tools: z.array(z.looseObject(named.shape)).default([]),
  messages: z.array(z.object({ content: z.union([z.string(), z.array(loose)]) })),
})
const toolResult = z.object({
  type: z.literal('tool_result'),
  tool_use_id: z.string(),
  content: content.optional(),
})

/** Anthropic's Messages. */
const messages: Dialect = {
  path: /\/v1\/messages(?:\?|$)/,
  read(body) {
    const { stream, tools, messages: said } = messagesBody.parse(body)
    const results = said
      .flatMap(one => (typeof one.content === 'string' ? [] : one.content))
      .flatMap(one => {
        const { data } = toolResult.safeParse(one)
        return data === undefined ? [] : [[data.tool_use_id, spoken(data.content)] as const]
      })
    return { offers: tools, answers: new Map(results), isStream: stream }
  },
  say(step, stream) {
    const answer = step
      ? { type: 'tool_use', id: step.id, name: step.offer.name, input: step.arguments }
      : { type: 'text', text: DONE }
    const stop = { stop_reason: step ? 'tool_use' : 'end_turn', stop_sequence: null }
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'scripted' }
    const usage = { input_tokens: 1, output_tokens: 1 }
    if (!stream) return JSON.stringify({ ...message, ...stop, content: [answer], usage })
    const delta = step
      ? { type: 'input_json_delta', partial_json: JSON.stringify(step.arguments) }
      : { type: 'text_delta', text: DONE }
    const empty = step ? { ...answer, input: {} } : { ...answer, text: '' }
    const start = { ...message, content: [], stop_reason: null, stop_sequence: null, usage }
    return [
      typed({ type: 'message_start', ...{ message: start } }),
      typed({ type: 'content_block_start', ...{ index: 0, content_block: empty } }),
      typed({ type: 'content_block_delta', ...{ index: 0, delta } }),
      typed({ type: 'content_block_stop', ...{ index: 0 } }),
      typed({ type: 'message_delta', ...{ delta: stop, usage } }),
      typed({ type: 'message_stop' }),
    ].join('')
  },
}

const completionsBody = z.object({
  stream: isStream,
  tools: z.array(z.object({ function: named })).default([]),
  messages: z.array(
    z.object({ role: z.string(), tool_call_id: z.string().optional(), content: content.nullish() }),
  ),
})

/** OpenAI's Chat Completions, which most others speak as well. */
const completions: Dialect = {
  path: /\/chat\/completions(?:\?|$)/,
  read(body) {
    const { stream, tools, messages: said } = completionsBody.parse(body)
    const results = said.flatMap(one =>
      one.tool_call_id === undefined ? [] : [[one.tool_call_id, spoken(one.content ?? undefined)] as const],
    )
    return { offers: tools.map(one => one.function), answers: new Map(results), isStream: stream }
  },
  say(step, stream) {
    const call = step && {
      index: 0,
      id: step.id,
      type: 'function',
      function: { name: step.offer.name, arguments: JSON.stringify(step.arguments) },
    }
    const said = { role: 'assistant', ...(call ? { content: null, tool_calls: [call] } : { content: DONE }) }
    const finish_reason = step ? 'tool_calls' : 'stop'
    const head = { id: 'chat_1', created: 1, model: 'scripted' }
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
    if (!stream) {
      const choices = [{ index: 0, message: said, finish_reason }]
      return JSON.stringify({ ...head, object: 'chat.completion', choices, usage })
    }
    const chunk = (delta: object, reason: string | null) => {
      const choices = [{ index: 0, delta, finish_reason: reason }]
      return event({ ...head, object: 'chat.completion.chunk', choices, ...(reason && { usage }) })
    }
    return `${chunk(said, null)}${chunk({}, finish_reason)}data: [DONE]\n\n`
  },
}

const tool = z.object({
  type: z.string(),
  name: z.string().default(''),
  tools: z.array(named).optional(),
})
const responsesBody = z.object({
  stream: isStream,
  tools: z.array(z.looseObject(tool.shape)).default([]),
  input: z.union([z.string(), z.array(loose)]),
})
const output = z.object({ type: z.literal('function_call_output'), call_id: z.string(), output: content })

/** OpenAI's Responses; tools of MCP servers may come in namespaces. */
const responses: Dialect = {
  path: /\/responses(?:\?|$)/,
  read(body) {
    const { stream, tools, input } = responsesBody.parse(body)
    const offers = tools.flatMap(({ name, tools: inside }): Offer[] =>
      inside === undefined ? [{ name }] : inside.map(one => ({ namespace: name, name: one.name })),
    )
    const results = (typeof input === 'string' ? [] : input).flatMap(one => {
      const { data } = output.safeParse(one)
      return data === undefined ? [] : [[data.call_id, spoken(data.output)] as const]
    })
    return { offers, answers: new Map(results), isStream: stream }
  },
  say(step, stream) {
    const text = { type: 'output_text', text: DONE, annotations: [] }
    const item = step
      ? {
          type: 'function_call',
          id: `fc_${step.id}`,
          call_id: step.id,
          ...step.offer,
          arguments: JSON.stringify(step.arguments),
          status: 'completed',
        }
      : { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [text] }
    const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 }
    const response = { id: 'resp_1', object: 'response', created_at: 1, model: 'scripted' }
    const completed = { ...response, status: 'completed', output: [item], usage }
    if (!stream) return JSON.stringify(completed)
    return [
      typed({
        type: 'response.created',
        ...{ response: { ...response, status: 'in_progress', output: [] } },
      }),
      typed({ type: 'response.output_item.added', ...{ output_index: 0, item } }),
      typed({ type: 'response.output_item.done', ...{ output_index: 0, item } }),
      typed({ type: 'response.completed', ...{ response: completed } }),
    ].join('')
  },
}

const geminiBody = z.object({
  tools: z.array(z.object({ functionDeclarations: z.array(named).default([]) })).default([]),
  contents: z.array(z.object({ parts: z.array(loose).default([]) })),
})
const functionResponse = z.object({
  functionResponse: z.object({ id: z.string().optional(), name: z.string(), response: loose }),
})

/** Google's generateContent. */
const gemini: Dialect = {
  path: /:(?:stream)?generateContent/i,
  read(body) {
    const { tools, contents } = geminiBody.parse(body)
    const results = contents
      .flatMap(one => one.parts)
      .flatMap(one => {
        const { data } = functionResponse.safeParse(one)
        if (data === undefined) return []
        const { id, name, response } = data.functionResponse
        return [[id ?? name, outputOf(response)] as const]
      })
    return {
      offers: tools.flatMap(one => one.functionDeclarations),
      answers: new Map(results),
      isStream: false,
    }
  },
  say(step, stream) {
    const part = step
      ? { functionCall: { id: step.id, name: step.offer.name, args: step.arguments } }
      : { text: DONE }
    const candidates = [{ index: 0, finishReason: 'STOP', content: { role: 'model', parts: [part] } }]
    const usageMetadata = { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 }
    const answer = { candidates, usageMetadata, modelVersion: 'scripted' }
    return stream ? event(answer) : JSON.stringify(answer)
  },
}

/** Text in it, wherever the agent puts it. */
function outputOf(response: unknown): string {
  const { data } = z.object({ output: z.string() }).safeParse(response)
  return data?.output ?? JSON.stringify(response)
}

export const dialects: readonly Dialect[] = [messages, completions, responses, gemini]
