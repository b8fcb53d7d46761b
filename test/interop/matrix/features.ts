/** What the clients try besides calling a tool, against three servers that can do it. */

export const features = [
  'resources',
  'prompts',
  'progress',
  'elicitation',
  'sampling',
  'cancellation',
] as const

export type Feature = (typeof features)[number]

export type FeatureKind = {
  readonly server: string
  readonly feature: Feature
  /** The resource's URI, the prompt's or the tool's name. */
  readonly subject: string
  readonly arguments?: Readonly<Record<string, unknown>>
  /** What the client says when it is asked. */
  readonly answer?: Readonly<Record<string, unknown>>
  /** What the text has to hold; a cancelled call has none. */
  readonly expect?: RegExp
}

const polly = { role: 'assistant', model: 'parrot', content: { type: 'text', text: 'polly' } }

export const trials: readonly FeatureKind[] = [
  {
    server: 'everything-http',
    feature: 'resources',
    subject: 'demo://resource/static/document/features.md',
    expect: /Everything Server/,
  },
  {
    server: 'everything-http',
    feature: 'prompts',
    subject: 'args-prompt',
    arguments: { city: 'Delft' },
    expect: /^What's weather in Delft\?$/,
  },
  {
    server: 'everything-http',
    feature: 'progress',
    subject: 'trigger-long-running-operation',
    arguments: { duration: 0.4, steps: 4 },
    expect: /^Long running operation completed/,
  },
  {
    server: 'everything-http',
    feature: 'elicitation',
    subject: 'trigger-elicitation-request',
    arguments: {},
    answer: { name: 'Ana', integer: 7 },
    expect: /- Name: Ana/,
  },
  {
    server: 'everything-http',
    feature: 'sampling',
    subject: 'trigger-sampling-request',
    arguments: { prompt: 'who is there?' },
    answer: polly,
    expect: /polly/,
  },
  {
    server: 'everything-http',
    feature: 'cancellation',
    subject: 'trigger-long-running-operation',
    arguments: { duration: 20, steps: 200 },
  },
  {
    server: 'conformance',
    feature: 'resources',
    subject: 'test://static-text',
    expect: /^This is the content of the static text resource\.$/,
  },
  {
    server: 'conformance',
    feature: 'prompts',
    subject: 'test_prompt_with_arguments',
    arguments: { arg1: 'tea', arg2: 'cake' },
    expect: /tea.*cake/,
  },
  {
    server: 'conformance',
    feature: 'progress',
    subject: 'test_tool_with_progress',
    arguments: {},
    expect: /^All steps done\.$/,
  },
  {
    server: 'conformance',
    feature: 'elicitation',
    subject: 'test_elicitation',
    arguments: { message: 'Who are you?' },
    answer: { username: 'ana', email: 'ana@example.com' },
    expect: /action=accept.*ana@example\.com/,
  },
  {
    server: 'conformance',
    feature: 'sampling',
    subject: 'test_sampling',
    arguments: { prompt: 'who is there?' },
    answer: polly,
    expect: /^LLM response: polly$/,
  },
  {
    server: 'fastmcp',
    feature: 'resources',
    subject: 'letters://alphabet',
    expect: /^abcdefghijklmnopqrstuvwxyz$/,
  },
  {
    server: 'fastmcp',
    feature: 'prompts',
    subject: 'spell',
    arguments: { word: 'tea' },
    expect: /^Please spell tea\.$/,
  },
  {
    server: 'fastmcp',
    feature: 'progress',
    subject: 'dictate',
    arguments: { text: 'tea' },
    expect: /^That was tea\.$/,
  },
  {
    server: 'fastmcp',
    feature: 'cancellation',
    subject: 'dictate',
    arguments: { text: 'a very long letter', pause: 1 },
  },
]
