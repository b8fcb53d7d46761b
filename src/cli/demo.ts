/** `gatehouse start --demo`: real servers, a user with access to them, real calls, and snippets that work when pasted. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import { socketPathOf } from '../data-directory.ts'
import { isObject } from '../foundation/json.ts'
import { openLog } from '../foundation/log.ts'
import { openProcesses, type Processes } from '../upstreams/index.ts'
import { addressOf } from './address.ts'
import type { Announcer } from './announcer.ts'
import { type Api, openApi } from './api.ts'
import { faceFrom, ToldError } from './command-error.ts'
import { startHttpServer } from './demo-http.ts'
import {
  type DemoCall,
  type DemoPlaces,
  demoCalls,
  demoGroup,
  demoManifest,
  demoUser,
  employeesCall,
} from './demo-servers.ts'
import type { Kit } from './kit.ts'
import { type Reach, remoteReach, socketReach } from './reach.ts'
import { snippets } from './snippets.ts'
import { cell } from './table.ts'

export type Demo = { close(): Promise<void> }

type Stage = {
  readonly kit: Kit
  readonly announcer: Announcer
  readonly config: Config
  /** Where the gateway answers over TCP. */
  readonly url: string
}

/** Begins to set the demo up around a running gateway. What fails is told, and keeps nothing else from working. */
export function openDemo(stage: Stage): Demo {
  const processes = openDemoProcesses(stage)
  let isClosing = false
  const work = setUp(stage, processes).catch((thrown: unknown) => {
    if (isClosing) return
    const { title, why, fix } = faceFrom(thrown)
    stage.announcer.tell({ event: 'demo.failed', why, fix }, `Demo: ${cell(title)} ${cell(why)}`)
  })
  return {
    async close() {
      isClosing = true
      await processes.close()
      await work
    },
  }
}

async function setUp(stage: Stage, processes: Processes): Promise<void> {
  const { kit, announcer, config, url } = stage
  announcer.tell({ event: 'demo.starting' }, 'Demo: starting real MCP servers ...')
  const operator = openApi(socketReach(config.dataDir, socketPathOf(config.dataDir)))
  const places = { ...makePlaces(config.dataDir), httpUrl: await startHttpServer(processes) }
  const manifest = JSON.stringify(demoManifest(places))
  await operator.post('/manifest', { manifest })
  const token = await tokenFor(operator, stage)
  const reach = remoteReach(url, token)
  await Promise.all(demoCalls(places).map(call => showCall(announcer, reach, call)))
  showSnippets(kit, announcer, { url, token })
}

function openDemoProcesses({ config, kit }: Stage): Processes {
  return openProcesses({
    maximum: 1,
    dataDir: config.dataDir,
    lineBytes: config.limits.messageBytes,
    environment: kit.environment,
    log: openLog(config.logLevel),
  })
}

function makePlaces(dataDir: string): Omit<DemoPlaces, 'httpUrl'> {
  const files = join(dataDir, 'demo', 'files')
  mkdirSync(files, { recursive: true, mode: 0o700 })
  writeFileSync(join(files, 'hello.txt'), 'This file is shown to agents by the demo.\n')
  return { files, memory: join(dataDir, 'demo', 'memory.jsonl') }
}

/** The token of an earlier start while it is good, for pasted snippets should go on working; else a new one. */
async function tokenFor(operator: Api, { config, url }: Stage): Promise<string> {
  const file = join(config.dataDir, 'demo', 'token')
  const before = readToken(file)
  if (before !== undefined && (await isGood(url, before))) return before
  const { token } = await operator.post('/tokens', { user: demoUser, name: 'demo', expires: '30d' })
  writeFileSync(file, String(token), { mode: 0o600 })
  return String(token)
}

function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

async function isGood(url: string, token: string): Promise<boolean> {
  try {
    await openApi(remoteReach(url, token)).get('/me')
    return true
  } catch (thrown) {
    if (thrown instanceof ToldError) return false
    throw thrown
  }
}

async function showCall(
  announcer: Announcer,
  reach: Reach,
  { server, tool, arguments: given }: DemoCall,
): Promise<void> {
  const { withServer } = await import('./mcp-client.ts')
  const startedAt = performance.now()
  const name = `${demoGroup}/${server}`
  try {
    const result = await withServer(reach, addressOf(`${demoGroup}/${server}`), client =>
      client.callTool({ name: tool, arguments: given }),
    )
    const milliseconds = Math.round(performance.now() - startedAt)
    const answer = firstText(result)
    const line = `  ${result.isError ? 'fail' : 'ok  '}  ${name.padEnd(22)} ${tool.padEnd(16)} ${answer}`
    announcer.tell(
      { event: 'demo.call', server: name, tool, ok: result.isError !== true, milliseconds, answer },
      line,
    )
  } catch (thrown) {
    const { why, fix } = faceFrom(thrown)
    announcer.tell(
      { event: 'demo.call', server: name, tool, ok: false, why, fix },
      `  fail  ${name.padEnd(22)} ${cell(why)}`,
    )
  }
}

function firstText(result: unknown): string {
  const content = isObject(result) && Array.isArray(result.content) ? result.content : []
  const text = content.find(isObject)?.text
  const line = cell(text)
  return line.length > 60 ? `${line.slice(0, 59)}…` : line
}

function showSnippets(kit: Kit, announcer: Announcer, { url, token }: { url: string; token: string }): void {
  const place = {
    name: employeesCall.server,
    url: `${url}/mcp/${demoGroup}/${employeesCall.server}/server`,
    token,
  }
  const call = { name: employeesCall.tool, arguments: employeesCall.arguments }
  const shown = ['curl', 'fastmcp', 'sdk'].flatMap(client => {
    const snippet = snippets[client]
    return snippet === undefined ? [] : [{ client, where: snippet.where, text: snippet.text(place, call) }]
  })
  const lines = shown.flatMap(({ where, text }) => ['', kit.terminal.paint('bold', where), text])
  announcer.tell(
    { event: 'demo.ready', user: demoUser, token, url: place.url, snippets: shown },
    ...lines,
    '',
  )
}
