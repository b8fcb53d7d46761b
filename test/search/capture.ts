/**
 * Installs public MCP servers in .cache/catalogues, asks each for its tools over stdio, and writes the answers to
 * test/search/catalogues as they are.
 *
 *   node test/search/capture.ts            all of them
 *   node test/search/capture.ts git slack  these
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as z from 'zod'
import { inherited } from '../fixtures/peers.ts'
import { ROOT, run } from '../fixtures/process.ts'
import { type PublicServer, publicServers } from './servers.ts'

const ANSWER_MS = 60_000
const manifest = z.object({
  license: z.string(),
  bin: z.union([z.string(), z.record(z.string(), z.string())]),
})
const answer = z.object({ id: z.number(), result: z.looseObject({}) })
const page = z.object({ tools: z.array(z.looseObject({})), nextCursor: z.string().optional() })

const wanted = process.argv.slice(2)
for (const server of publicServers) {
  if (wanted.length > 0 && !wanted.includes(server.name)) continue
  try {
    const { program, license } = await installed(server)
    const tools = await toolsOf(server, program)
    const head = { name: server.name, package: server.package, version: server.version, license }
    write(server.name, head, tools)
    console.log(`${server.name}: ${tools.length} tools`)
  } catch (error) {
    process.exitCode = 1
    console.error(`${server.name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Without install scripts: none of these needs one to list its tools. */
async function installed(server: PublicServer): Promise<{ program: string; license: string }> {
  const folder = join(ROOT, '.cache', 'catalogues', server.name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  const named = `${server.package}@${server.version}`
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--silent', named]
  await run({ command: 'npm', args, cwd: folder, timeoutMs: 10 * 60_000, env: inherited() })
  const own = join(folder, 'node_modules', server.package)
  const { bin, license } = manifest.parse(JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')))
  const file = typeof bin === 'string' ? bin : Object.values(bin)[0]
  return { program: join(own, String(file)), license: license.startsWith('SEE ') ? spoken(own) : license }
}

/** The licence that the README names, where the package says only to look. */
function spoken(folder: string): string {
  const readme = readFileSync(join(folder, 'README.md'), 'utf8')
  const found = /licensed under the ([\w.-]+) License/i.exec(readme)?.[1]
  if (found === undefined) throw new Error('its package and README name no licence')
  return found
}

async function toolsOf({ args = [], env = {} }: PublicServer, program: string): Promise<object[]> {
  const home = mkdtempSync(join(tmpdir(), 'gatehouse-catalogue-'))
  const child = spawn(process.execPath, [program, ...args], {
    cwd: home,
    env: { PATH: process.env.PATH, HOME: home, ...env },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const waiting = new Map<number, (result: object) => void>()
  createInterface({ input: child.stdout }).on('line', line => {
    const found = answer.safeParse(line.startsWith('{') ? JSON.parse(line) : undefined)
    if (found.success) waiting.get(found.data.id)?.(found.data.result)
  })
  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const ask = (id: number, method: string, params: object) =>
    new Promise<object>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${method}`)), ANSWER_MS)
      child.once('exit', code => reject(new Error(`ended with ${code}`)))
      waiting.set(id, result => {
        clearTimeout(timer)
        resolve(result)
      })
      send({ id, method, params })
    })
  try {
    const clientInfo = { name: 'capture', version: '1.0.0' }
    await ask(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo })
    send({ method: 'notifications/initialized' })
    const tools: object[] = []
    let cursor: string | undefined
    do {
      const read = page.parse(
        await ask(tools.length + 1, 'tools/list', cursor === undefined ? {} : { cursor }),
      )
      tools.push(...read.tools)
      cursor = read.nextCursor
    } while (cursor !== undefined)
    return tools
  } finally {
    child.kill('SIGKILL')
    rmSync(home, { recursive: true, force: true })
  }
}

/** One tool a line, so that a new version of a server shows what it changed. */
function write(name: string, head: object, tools: readonly object[]): void {
  const lines = tools.map(tool => JSON.stringify(tool)).join(',\n')
  const text = `${JSON.stringify(head).slice(0, -1)},"tools":[\n${lines}\n]}\n`
  writeFileSync(join(ROOT, 'test', 'search', 'catalogues', `${name}.json`), text)
}
