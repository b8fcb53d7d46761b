/** docs/search.md: what the search costs and saves, and how often it finds what was meant. */
import {
  describeResult,
  estimateTokens,
  metaTools,
  openSearch,
  type SearchedTool,
  searchResult,
} from '../../src/servers/index.ts'
import {
  type Asked,
  askAll,
  type Catalogue,
  composed,
  describeMiss,
  hitRate,
  readCatalogues,
} from './measure.ts'

export function searchPage(): string {
  const catalogues = readCatalogues()
  const asked = askAll(catalogues)
  return `# Searching for tools

<!-- Written by npm run docs; change the code instead. -->

Where a caller may use many tools, listing them all costs a model more than most questions do. Gatehouse then lists three:
\`search_tools\`, \`describe_tool\` and \`call_tool\`. This page measures what that saves, and what it costs: a tool that is not found is not used.

## What it saves

${savings(catalogues, asked)}

Tokens are estimated: 4.5 bytes of JSON are one. A tokenizer (o200k) says 4.49 for all these definitions together, and 4.3 to 5.2 for single servers.

## How often it finds

${asked.length} questions in \`test/search/questions.json\`, asked of all ${composed(catalogues).length} tools together. A question is a hit when a tool that does what was asked is
among the first so many. People say what they want done, in their own words; agents name the action and the thing. The weights and the
synonyms were chosen by the misses of the tuning half; of the held-out half only the rate was looked at, so it says what to expect of others.

${rates(asked)}

## What it misses

Right tools that are not among the first five:

${asked
  .filter(({ place }) => place > 5)
  .map(miss => `- ${describeMiss(miss)}`)
  .join('\n')}

## The catalogues

As the servers answer \`tools/list\` over stdio, without an account: \`node test/search/capture.ts\` asks them again.

| Server | Package | Licence | Tools | Bytes | Tokens |
|---|---|---|---:|---:|---:|
${catalogues.map(rowOf).join('\n')}

## How it works

BM25 over the fields of a definition (BM25F): name, server, title, first sentence, description, names of arguments, and their descriptions and
allowed values. Words are split at case and punctuation and reduced to a stem; a short list of synonyms (\`src/servers/search-synonyms.ts\`) says
which words people use for one another. There is no model and no network in it, and the same question always has the same answer.
`
}

function savings(catalogues: readonly Catalogue[], asked: readonly Asked[]): string {
  const tools = composed(catalogues)
  const whole = bytesOf(tools.map(({ definition }) => definition))
  const { searched, described } = meanAnswers(tools, asked)
  const parts = [bytesOf(metaTools), searched, described]
  const sum = parts.reduce((total, bytes) => total + bytes, 0)
  const row = (what: string, bytes: number) => `| ${what} | ${Math.round(bytes)} | ${estimateTokens(bytes)} |`
  return `| What a model reads | Bytes | Tokens |
|---|---:|---:|
${row(`the whole list, ${tools.length} tools`, whole)}
${row('the three tools instead', parts[0] ?? 0)}
${row('one answer of `search_tools` with five tools (mean)', searched)}
${row('one answer of `describe_tool` (mean)', described)}
${row('the three, one search, one description', sum)}

Saved: ${percent(1 - sum / whole)}. Each further search costs ${estimateTokens(searched)} tokens, so the list pays again only after ${Math.floor((whole - sum) / searched)} of them.`
}

type Answers = { readonly searched: number; readonly described: number }

/** What the answers to all questions are long, as the text that a model reads. */
function meanAnswers(tools: readonly SearchedTool[], asked: readonly Asked[]): Answers {
  const search = openSearch(tools)
  const byName = new Map(tools.map(tool => [tool.name, tool]))
  const lengths = asked.map(({ question }) => {
    const found = search.find(question, 5).flatMap(({ name }) => byName.get(name) ?? [])
    return {
      searched: Buffer.byteLength(searchResult(found).content[0].text),
      described: Buffer.byteLength(describeResult(found[0]?.definition ?? {}).content[0].text),
    }
  })
  const mean = (of: (one: Answers) => number) =>
    lengths.reduce((sum, one) => sum + of(one), 0) / lengths.length
  return { searched: mean(one => one.searched), described: mean(one => one.described) }
}

function rates(asked: readonly Asked[]): string {
  const groups: readonly (readonly [string, readonly Asked[]])[] = [
    ['all', asked],
    ['tuning half', asked.filter(({ half }) => half === 'tuning')],
    ['held-out half', asked.filter(({ half }) => half === 'held-out')],
    ['by people', asked.filter(({ by }) => by === 'person')],
    ['by agents', asked.filter(({ by }) => by === 'agent')],
  ]
  const rows = groups.map(
    ([name, some]) =>
      `| ${name} | ${some.length} | ${[1, 3, 5].map(first => percent(hitRate(some, first))).join(' | ')} |`,
  )
  return `| Questions | Number | first | first 3 | first 5 |\n|---|---:|---:|---:|---:|\n${rows.join('\n')}`
}

function rowOf({ name, package: from, version, license, tools }: Catalogue): string {
  const bytes = bytesOf(tools)
  return `| ${name} | ${from} ${version} | ${license} | ${tools.length} | ${bytes} | ${estimateTokens(bytes)} |`
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`
}
