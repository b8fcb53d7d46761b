/**
 * Writes the documents that follow from the code: configuration, errors, OpenAPI, the manifest's JSON Schema; and the interop page,
 * which follows from what its runs found; and the search page, which is measured anew.
 *
 *   node scripts/write-docs.ts           writes them
 *   node scripts/write-docs.ts --check   says which are not up to date, and ends with 1
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { localFetch } from '../src/cli/local-fetch.ts'
import { configSchema } from '../src/config/schema.ts'
import { type Setting, settings } from '../src/config/settings.ts'
import { socketPathOf } from '../src/data-directory.ts'
import { errorTable } from '../src/foundation/errors.ts'
import { silentLog } from '../src/foundation/log.ts'
import { createGateway } from '../src/gateway.ts'
import { listen } from '../src/listen.ts'
import { manifestJsonSchema } from '../src/manifest/index.ts'
import { interopPage } from '../test/interop/matrix/page.ts'
import { readResults } from '../test/interop/matrix/results.ts'
import { searchPage } from '../test/search/page.ts'

const note = '<!-- Written by npm run docs; change the code instead. -->'

function configuration(): string {
  return `# Configuration

${note}

Every setting can be given in four places; the first that has it wins:

1. a flag of \`gatehouse start\`, where there is one (\`--port 4000\`)
2. an environment variable (\`GATEHOUSE_PORT=4000\`; lists comma-separated; \`DATABASE_URL\` works for \`databaseUrl\`)
3. the file named by \`--config\`, else \`gatehouse.config.yaml\` in the working directory
4. the default

All problems are reported at once. An unknown key or an unknown \`GATEHOUSE_\` variable is a problem too.
\`GATEHOUSE_URL\` and \`GATEHOUSE_TOKEN\` are not settings: they tell commands which gateway to act on.

| Setting | Variable | Default | What it is |
|---|---|---|---|
${settings.map(rowOf).join('\n')}
`
}

function rowOf({ key, variable, defaultValue, description, choices }: Setting): string {
  const shown = defaultValue === undefined ? '' : `\`${JSON.stringify(defaultValue)}\``
  const text = choices.length > 0 ? `${description} One of: ${choices.join(', ')}.` : description
  return `| \`${key}\` | \`${variable}\` | ${shown} | ${text} |`
}

function errors(): string {
  const sections = Object.entries(errorTable).map(
    ([code, { status, rpc, sentence, fix }]) => `## ${code}

${sentence}

- Fix: ${fix}
- HTTP status ${status}, JSON-RPC code ${rpc}`,
  )
  return `# Errors

${note}

Every error has one of these codes, wherever it shows: as \`code\` in problem+json, in \`error.data\` of JSON-RPC, and as text on
the command line. With it come a sentence, \`why\` it happened here, the \`fix\`, and the \`requestId\` to look for in the log and the audit.

${sections.join('\n\n')}
`
}

/** The document as a gateway serves it. */
async function openApi(): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-docs-'))
  const gateway = await createGateway({ ...configSchema.parse({}), dataDir }, silentLog, {})
  const socketPath = socketPathOf(dataDir)
  const listening = await listen({ ...gateway, socketPath })
  try {
    const response = await localFetch(socketPath)('http://localhost/api/v1/openapi.json')
    return asJson(await response.json())
  } finally {
    await listening.drain(0)
    await gateway.close()
    rmSync(dataDir, { recursive: true })
  }
}

function asJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

const documents = {
  'configuration.md': configuration(),
  'errors.md': errors(),
  'interop.md': interopPage(readResults()),
  'search.md': searchPage(),
  'openapi.json': await openApi(),
  'manifest.schema.json': asJson(manifestJsonSchema()),
}

const directory = fileURLToPath(new URL('../docs/', import.meta.url))

function present(name: string): string | undefined {
  try {
    return readFileSync(join(directory, name), 'utf8')
  } catch {
    return undefined
  }
}

const stale = Object.entries(documents).filter(([name, text]) => present(name) !== text)
if (process.argv.includes('--check')) {
  for (const [name] of stale) console.error(`docs/${name} is not up to date. Fix: npm run docs`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  for (const [name, text] of stale) writeFileSync(join(directory, name), text)
  console.log(
    stale.length === 0 ? 'Every document is up to date.' : `Wrote ${stale.map(([name]) => name).join(', ')}.`,
  )
}
