/** Clients that are a program in test/peers/matrix: a plan goes in, lines of JSON come out. */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import * as z from 'zod'
import { environment } from '../../../fixtures/process.ts'
import type { Plan, Told } from './client-kind.ts'

const PATIENCE_MS = 10 * 60_000

const common = { server: z.string(), text: z.string().nullable(), error: z.string().nullable() }
const visited = z.object({
  ...common,
  connected: z.boolean(),
  tools: z.array(z.string()).nullable(),
})
const tried = z.object({ ...common, feature: z.string(), offered: z.boolean(), seen: z.number() })

/** Runs a program once for the whole plan. */
export async function visitWith(
  [command = '', ...args]: readonly string[],
  plan: Plan,
  env: Record<string, string> = {},
): Promise<Told> {
  const child = spawn(command, args, {
    env: environment({ HOME: plan.home, ...env }),
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: PATIENCE_MS,
  })
  child.stdin.end(JSON.stringify(asGiven(plan)))
  const [printed, complaints] = await Promise.all([text(child.stdout), text(child.stderr)])
  const lines = printed.split('\n').filter(line => line.startsWith('{'))
  const told = z.array(z.union([tried, visited])).parse(lines.map(line => JSON.parse(line)))
  const asked = plan.visits.length + plan.trials.length
  if (told.length !== asked)
    throw new Error(`${args[0]} said ${told.length} of ${asked} things\n${complaints}`)
  return {
    visited: told.filter(one => 'connected' in one),
    tried: told.filter(one => 'feature' in one),
  }
}

function asGiven({ visits, trials, token }: Plan) {
  return {
    visits: visits.map(({ server: { name, call }, url }) => {
      return { server: name, url, token, tool: call.tool, arguments: call.arguments }
    }),
    trials: trials.map(({ trial: { expect: _, ...trial }, url }) => ({ ...trial, url, token })),
  }
}
