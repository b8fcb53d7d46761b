/** Coding agents: installed into .cache on first use, run without an account against a scripted model. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { inherited } from '../../../fixtures/peers.ts'
import { ROOT, run } from '../../../fixtures/process.ts'
import type { ServerKind } from '../servers.ts'
import type { ClientKind, Plan, Visited } from './client-kind.ts'
import { byName, isCall, type ScriptedModel, startScriptedModel } from './scripted-model.ts'

export type AgentKind = {
  readonly name: string
  readonly title: string
  readonly how: string
  /** Package and exact version. */
  readonly package: string
  readonly version: string
  /** It gives the model the servers' own names of tools, so that two of one name cannot be told apart. */
  readonly isOneByOne?: boolean
  /** From the folder of the installation. */
  program(): readonly string[]
  /** Writes the agent's configuration into its home, and says what to type. */
  prepare(place: AgentPlace): { readonly args: readonly string[]; readonly env: Record<string, string> }
}

export type AgentPlace = {
  readonly home: string
  readonly work: string
  readonly model: string
  readonly token: string
  readonly servers: readonly { readonly name: string; readonly url: string }[]
  /** Writes a file below the home. */
  write(path: string, text: string): void
}

export const PROMPT = 'Call every tool of the script, one after another.'

const INSTALLING_MS = 10 * 60_000
const RUNNING_MS = 5 * 60_000

export function agent(kind: AgentKind): ClientKind {
  const folder = join(ROOT, '.cache', 'agents', kind.name)
  return {
    name: kind.name,
    title: kind.title,
    kind: 'agent',
    how: kind.how,
    install: () => install(folder, `${kind.package}@${kind.version}`),
    version: () => kind.version,
    async visit(plan) {
      if (!kind.isOneByOne) return { visited: await visitTogether(kind, folder, plan), tried: [] }
      const visited: Visited[] = []
      for (const visit of plan.visits) {
        const home = join(plan.home, visit.server.name)
        mkdirSync(home)
        visited.push(...(await visitTogether(kind, folder, { ...plan, home, visits: [visit] })))
      }
      return { visited, tried: [] }
    },
  }
}

async function visitTogether(kind: AgentKind, folder: string, plan: Plan): Promise<Visited[]> {
  const script = plan.visits.map(({ server }) => server)
  const model = await startScriptedModel(script, kind.isOneByOne ? byName : undefined)
  try {
    const trouble = await converse(kind, folder, { plan, model })
    return script.map(server => visitedBy(model, server, trouble))
  } finally {
    await model.stop()
  }
}

/** Brings an agent along on first use. */
export async function install(folder: string, wanted: string): Promise<void> {
  const marker = join(folder, 'installed')
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n')
  process.stderr.write(`installing ${wanted} in .cache/agents (once)\n`)
  await run({
    command: 'npm',
    args: ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--save-exact', wanted],
    cwd: folder,
    timeoutMs: INSTALLING_MS,
    env: inherited(),
  })
  writeFileSync(marker, wanted)
}

type Talk = { readonly plan: Plan; readonly model: ScriptedModel }

/** One turn of the agent; gives its last words when it fails. */
async function converse(kind: AgentKind, folder: string, { plan, model }: Talk): Promise<string | null> {
  const { home, token } = plan
  const work = join(home, 'work')
  mkdirSync(work)
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(home, path)), { recursive: true })
    writeFileSync(join(home, path), text)
  }
  const servers = plan.visits.map(({ server, url }) => ({ name: server.name, url }))
  const { args, env } = kind.prepare({ home, work, model: model.url, token, servers, write })
  const [first = '', ...rest] = kind.program()
  const command = first.startsWith('/') ? first : join(folder, 'node_modules', first)
  const isScript = /\.[cm]?js$/.test(command)
  try {
    await run({
      command: isScript ? process.execPath : command,
      args: [...(isScript ? [command] : []), ...rest, ...args],
      cwd: work,
      // Agents that would call home find nobody there.
      env: { HOME: home, CI: '1', DO_NOT_TRACK: '1', ...env },
      timeoutMs: RUNNING_MS,
    })
    return null
  } catch (cause) {
    return String(cause).slice(-600)
  }
}

function visitedBy(model: ScriptedModel, server: ServerKind, trouble: string | null): Visited {
  const offers = model.offersOf(server)
  const names = offers.map(({ name }) => name)
  const isOffered = offers.some(offer => isCall(offer, server))
  const text = model.answerOf(server)
  const missing = offers.length === 0 ? 'the agent did not offer its tools to the model' : null
  return {
    server: server.name,
    connected: offers.length > 0,
    // Agents give tools names of their own.
    tools: isOffered ? [...names, server.call.tool] : names,
    text,
    error: text === null ? (missing ?? trouble ?? 'the agent did not call the tool') : null,
  }
}
