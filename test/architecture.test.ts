import { describe, expect, it } from 'vitest'
import { areaOf, mayImport, packages } from './architecture/layers.ts'
import { rules } from './architecture/rules.ts'
import { readSources, source } from './architecture/source.ts'

const tree = readSources('src', 'test', 'bench', 'scripts')

/** For each rule, sources that break it. */
const breaking: Readonly<Record<string, readonly (readonly [path: string, text: string])[]>> = {
  'an area imports only what stands left of it or below it': [
    ['src/foundation/id.ts', "import type { Config } from '../config/schema.ts'"],
    ['src/audit/ship.ts', "import { openIdentity } from '../identity/index.ts'"],
    ['src/access/decide.ts', "import {\n  type Upstream,\n  openRegister,\n} from '../upstreams/index.ts'"],
    ['src/http/mount.ts', "export { openMcp } from '../mcp/index.ts'"],
    ['src/vault/vault.ts', "const late = await import('../mcp/index.ts')"],
    ['src/database/open.ts', "import '../audit/index.ts'"],
    ['src/mcp/door.ts', "import { runCommand } from '../cli/program.ts'"],
  ],
  'src imports nothing from outside src': [
    ['src/audit/ship.ts', "import { once } from '../../test/fixtures/once.ts'"],
  ],
  'nobody imports past a door': [
    ['src/mcp/door.ts', "import type { Grant } from '../access/decide.ts'"],
    ['src/cli/doctor.ts', "import { mount } from '../http/mount.ts'"],
    ['src/gateway.ts', "import { decide } from './access/decide.ts'"],
  ],
  'rooms and planes know the configuration as a type only': [
    ['src/mcp/door.ts', "import { configSchema } from '../config/schema.ts'"],
  ],
  'nothing imports the wiring but the command line and the wiring itself': [
    ['src/http/mount.ts', "import type { Gateway } from '../gateway.ts'"],
  ],
  'packages and ways out stay in the files named for them': [
    ['src/access/table.ts', "import { Pool } from 'pg'"],
    ['src/mcp/forward.ts', "import { request } from 'undici'"],
    ['src/vault/seal.ts', "import { execFile } from 'node:child_process'"],
    ['src/mcp/reply.ts', "import { request } from 'node:http'"],
    ['src/mcp/door.ts', "import { Client } from '@modelcontextprotocol/client'"],
    ['src/access/routes.ts', "import { sql } from 'kysely'"],
    ['src/http/app.ts', "import express from 'express'"],
  ],
  'queries are built in table files': [
    ['src/identity/users.ts', "await tx.selectFrom('users').selectAll().execute()"],
  ],
  'only the transports reach upstreams; the command line may fetch': [
    ['src/vault/vault.ts', "const answer = await fetch('http://example.com')"],
  ],
  'process.env is read in config/load.ts': [
    ['src/mcp/door.ts', 'const home = process.env.HOME'],
    ['src/mcp/door.ts', ['const text = `$', '{process.env.HOME}/x`'].join('')],
  ],
  'only the vault equips': [
    ['src/mcp/forward.ts', 'link.request(markEquipped({ upstream }))'],
    ['src/mcp/forward.ts', 'const equipped = { upstream } as Equipped'],
  ],
  'only identity makes principals': [['src/http/authenticate.ts', 'const caller = found as Principal']],
  'no default exports': [['src/mcp/door.ts', 'export default function door() {}']],
  'no any': [
    ['src/mcp/door.ts', 'const value = JSON.parse(text) as any'],
    ['src/mcp/door.ts', 'function first(values: any[]) {}'],
    ['src/mcp/door.ts', 'const all = new Map<string, any>()'],
  ],
  'no switched-off compiler': [['src/mcp/door.ts', '// @ts-expect-error it is fine\nconst a: string = 1']],
  'nothing is left for later': [['src/mcp/door.ts', '/** TODO: sessions */']],
  'no empty catch': [
    ['src/mcp/door.ts', 'try { a() } catch {}'],
    ['src/mcp/door.ts', 'try { a() } catch (error) {\n  // never mind\n}'],
  ],
  'no test is skipped or alone': [
    ['src/mcp/door.test.ts', "it.only('works', () => {})"],
    ['test/interop/x.test.ts', "describe.skip('later', () => {})"],
  ],
  'a file has at most 300 lines, a test 500': [
    ['src/mcp/door.ts', 'x\n'.repeat(301)],
    ['src/mcp/door.test.ts', 'x\n'.repeat(501)],
  ],
  'files are named in kebab-case, without words that mean nothing': [
    ['src/mcp/fastPath.ts', ''],
    ['src/mcp/session-manager.ts', ''],
    ['src/foundation/utils.ts', ''],
  ],
}

describe.each(rules)('$name', ({ name, check }) => {
  it('holds for every file', () => {
    expect(tree.flatMap(check)).toEqual([])
  })

  const cases = breaking[name] ?? []

  it('has cases that break it', () => {
    expect(cases).not.toEqual([])
  })

  it.each(cases)('is broken by %s: %s', (path, text) => {
    expect(check(source(path, text))).toHaveLength(1)
  })
})

describe('the reading of sources', () => {
  it('takes nothing in strings, comments or regular expressions for code', () => {
    const text = [
      "const a = 'export default any'",
      '/* import { Pool } from "pg" */',
      '// process.env',
      "const b = `import { Pool } from 'pg'`",
      'const c = text.match(/catch {}|process.env[\'"`/]/)',
      'const d = 4 / 2 // : any',
    ]
    expect(rules.flatMap(({ check }) => check(source('src/mcp/door.ts', text.join('\n'))))).toEqual([])
  })

  it('knows every area of the tree', () => {
    const areas = new Set(tree.flatMap(({ path }) => areaOf(path) ?? []))
    expect([...areas].filter(area => !(area in mayImport))).toEqual([])
  })

  it('finds everything that has a place named in its place', () => {
    const imported = tree.filter(({ path }) => path.startsWith('src/')).flatMap(({ imports }) => imports)
    const used = new Set(imported.map(({ from }) => from))
    expect(Object.keys(packages).filter(name => !used.has(name))).toEqual([])
  })

  it('finds the imports there are', () => {
    const { imports } = source(
      'src/mcp/door.ts',
      "import {\n  a,\n  type B,\n} from './x.ts'\nimport type { C } from 'y'\n",
    )
    expect(imports.map(({ from, path, isType, line }) => [from, path, isType, line])).toEqual([
      ['./x.ts', 'src/mcp/x.ts', false, 1],
      ['y', undefined, true, 5],
    ])
  })
})
