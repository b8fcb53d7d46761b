/** The Inspector on the command line: one process for each question. */
import * as z from 'zod'
import { peers } from '../../../fixtures/peers.ts'
import { run } from '../../../fixtures/process.ts'
import type { FeatureKind } from '../features.ts'
import { type ServerKind, theirs } from '../servers.ts'
import type { ClientKind, Plan, Tried, Visited } from './client-kind.ts'

const listed = z.object({ tools: z.array(z.object({ name: z.string() })) })
const block = z.object({ text: z.string().default('') })
const called = z.object({ content: z.array(block) })
const read = z.object({ contents: z.array(block) })
const prompted = z.object({ messages: z.array(z.object({ content: block })) })
const told = (blocks: readonly { text: string }[]) => blocks.map(one => one.text).join('\n')

export const inspector: ClientKind = {
  name: 'inspector',
  title: 'MCP Inspector',
  kind: 'library',
  how: '`--cli`, one process for each method',
  install: async () => void (await peers()),
  version: () => theirs('@modelcontextprotocol/inspector'),
  visit: async plan => {
    const visited: Visited[] = []
    const tried: Tried[] = []
    for (const { server, url } of plan.visits) visited.push(await visit(plan, server, url))
    for (const { trial, url } of plan.trials) tried.push(await attempt(plan, trial, url))
    return { visited, tried }
  },
}

async function visit(plan: Plan, { name, call }: ServerKind, url: string): Promise<Visited> {
  let tools: string[] | null = null
  const found = (text: string | null, error: string | null) => {
    return { server: name, connected: tools !== null, tools, text, error }
  }
  try {
    tools = listed.parse(await inspect(plan, url, 'tools/list')).tools.map(one => one.name)
    const rest = ['--tool-name', call.tool, ...pairs('--tool-arg', call.arguments)]
    return found(told(called.parse(await inspect(plan, url, 'tools/call', ...rest)).content), null)
  } catch (error) {
    return found(null, saidBy(error))
  }
}

async function attempt(plan: Plan, trial: FeatureKind, url: string): Promise<Tried> {
  const { server, feature, subject } = trial
  const found = { server, feature, offered: true, seen: 0, text: null, error: null }
  try {
    if (feature === 'resources') {
      return {
        ...found,
        text: told(read.parse(await inspect(plan, url, 'resources/read', '--uri', subject)).contents),
      }
    }
    if (feature === 'prompts') {
      const rest = ['--prompt-name', subject, ...pairs('--prompt-args', trial.arguments ?? {})]
      const { messages } = prompted.parse(await inspect(plan, url, 'prompts/get', ...rest))
      return { ...found, text: told(messages.map(one => one.content)) }
    }
    return { ...found, offered: false }
  } catch (error) {
    return { ...found, error: saidBy(error) }
  }
}

async function inspect({ home, token }: Plan, url: string, method: string, ...rest: string[]) {
  const { inspector: program } = await peers()
  const header = ['--header', `Authorization: Bearer ${token}`]
  const args = [program, '--cli', url, '--transport', 'http', ...header, '--method', method, ...rest]
  const answer: unknown = JSON.parse(await run({ args, env: { HOME: home } }))
  return answer
}

function pairs(flag: string, values: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [
    flag,
    `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ])
}

/** What it printed, without the command line. */
function saidBy(error: unknown): string {
  const [command = '', ...printed] = String(error).split('\n')
  return printed.join(' ').trim() || command
}
