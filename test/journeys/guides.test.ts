/** The guides do what they say: their `sh` blocks are run, and the `text` block after one is what it must print. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startIdentityProvider } from '../fixtures/identity-provider.ts'
import { startPostgres } from '../fixtures/postgres-server.ts'
import { environment, freePort, ROOT, run, start } from '../fixtures/process.ts'

const folder = join(ROOT, 'docs', 'guides')
const guides = readdirSync(folder).filter(name => name.endsWith('.md'))
const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

type Step = { readonly commands: string; readonly printed: readonly string[] }

/** The commands of a guide, each with the lines that must be part of what it prints. */
function steps(guide: string): Step[] {
  const blocks = [...guide.matchAll(/^```(sh|text)\n([\s\S]*?)^```$/gm)]
  return blocks.flatMap(([, kind, commands = ''], at) => {
    const [, nextKind, next = ''] = blocks[at + 1] ?? []
    if (kind !== 'sh') return []
    return [{ commands, printed: nextKind === 'text' ? next.trim().split('\n') : [] }]
  })
}

/** The identity provider that a guide is about, with a token of somebody there. */
async function company(): Promise<Record<string, string>> {
  const ana = { id: 'ana', email: 'ana@acme.example', email_verified: true, groups: ['gatehouse-crew'] }
  const provider = await startIdentityProvider({ people: [ana] })
  ending.push(provider.stop)
  return { ACME_ISSUER: provider.issuer, ACME_TOKEN: await provider.tokenOf('ana', 'api://gatehouse') }
}

/** A directory for one reader, with the `gatehouse` command in it. */
function desk(): { directory: string; env: Record<string, string> } {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-guide-'))
  ending.push(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  const command = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'bin', 'gatehouse.mjs')}' "$@"\n`
  writeFileSync(join(bin, 'gatehouse'), command, { mode: 0o755 })
  return { directory, env: { PATH: `${bin}${delimiter}${environment().PATH}` } }
}

const mark = (at: number) => `--- after step ${at} ---`

/** Runs all steps in one shell, as one reader would, and gives what each printed. */
async function follow(all: readonly Step[], cwd: string, env: Record<string, string>): Promise<string[]> {
  const script = all.map(({ commands }, at) => `${commands}\necho '${mark(at)}'\n`).join('')
  const printed = await run({ command: 'bash', args: ['-euc', `exec 2>&1\n${script}`], cwd, env })
  let rest = printed
  return all.map((_, at) => {
    const [own = '', after = ''] = rest.split(mark(at))
    rest = after
    return own
  })
}

describe.each(guides)('%s', name => {
  const all = steps(readFileSync(join(folder, name), 'utf8'))

  it('does what it says', async () => {
    expect(all).not.toEqual([])
    const { directory, env } = desk()
    if (name === 'postgresql.md') {
      const server = await startPostgres()
      ending.push(server.stop)
      env.NEW_DATABASE_URL = await server.createDatabase()
    } else {
      if (name === 'identity-providers.md') Object.assign(env, await company())
      const port = await freePort()
      env.GATEHOUSE_PORT = String(port)
      const gateway = start({ command: 'gatehouse', args: ['start'], cwd: directory, env })
      ending.push(gateway.stop)
      await gateway.listening(port)
    }
    const printed = await follow(all, directory, env)
    const lacking = all.flatMap(({ printed: wanted }, at) =>
      wanted.filter(line => !printed[at]?.includes(line)).map(line => ({ line, in: printed[at] })),
    )
    expect(lacking).toEqual([])
  })
})
