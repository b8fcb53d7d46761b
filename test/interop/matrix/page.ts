/** docs/interop.md, from what the runs found and nothing else. */
import { errorTable } from '../../../src/foundation/errors.ts'
import type { ClientKind } from './clients/client-kind.ts'
import { clients } from './clients/index.ts'
import { features } from './features.ts'
import { type Cell, type FeatureCell, isGood, type Results } from './results.ts'
import { servers } from './servers.ts'

const NOTE =
  '<!-- Written by npm run docs from test/interop/matrix/results.json; npm run interop makes that anew. -->'

export function interopPage(results: Results): string {
  const notes = footnotes()
  const grid = gridOf(results, notes)
  const tried = featureTables(results, notes)
  return `# Interop

${NOTE}

Clients and servers that others wrote, each with each, through the gateway. Every cell is the result of a run on one machine; nothing is
written by hand. \`npm run interop\` installs the clients (the agents take about 2 GB in \`.cache\`), starts every server and a gateway, lets
every client visit every server, and writes this page. \`npm test\` does the same with the libraries and fails when a pair that worked does
not. The code is in \`test/interop/matrix\`.

## Client and server

A client counts as good when it connected, listed the tools, and got the expected answer of one of them; and when the gateway's audit has
the call. ${summary(results)}

- **✓** worked, over 2026-07-28, the stateless revision. **✓ s** worked, over a session (an earlier revision).
- **list** or **connect**: so far it went, and not further. **✗**: not at all. The number says why.
- **·** was not run.

${grid}

## What else they can do

Only clients whose interface offers it: **–** means that it does not. A cancelled call counts when the gateway's audit has it as
cancelled; progress, elicitation and sampling when the client's own code was called.

${tried}

## Why not

The gateway's own error where there is one, else the client's words.

${notes.list()}

## Clients

An agent is given its usual configuration file, an empty home and a model that is a script: it calls one tool of each server and reads
what comes back. No account, no real model.

${clientTable(results)}

## Servers

${serverTable(results)}
`
}

type Notes = { number(of: { error: string | null; words: string | null }): string; list(): string }

/** The same reason has the same number everywhere. */
function footnotes(): Notes {
  const reasons: string[] = []
  return {
    number({ error, words }) {
      const reason = reasonFor(error, words)
      if (!reasons.includes(reason)) reasons.push(reason)
      return String(reasons.indexOf(reason) + 1)
    },
    list: () =>
      reasons.length === 0 ? 'Everything worked.' : reasons.map((one, at) => `${at + 1}. ${one}`).join('\n'),
  }
}

function reasonFor(error: string | null, words: string | null): string {
  const row = Object.entries(errorTable).find(([code]) => code === error)?.[1]
  if (row === undefined) return `\`${(words ?? 'no answer').replaceAll('`', "'")}\``
  return `[\`${error}\`](errors.md#${error?.replace('.', '')}): ${row.sentence}`
}

function summary({ clients: found }: Results): string {
  const cells = Object.values(found).flatMap(one => Object.values(one.cells))
  return `${cells.filter(isGood).length} of ${cells.length} pairs are good.`
}

function gridOf(results: Results, notes: Notes): string {
  const head = ['', ...servers.map(({ title }) => title)]
  const rows = listed(results).map(client => [
    client.title,
    ...servers.map(({ name }) => mark(results.clients[client.name]?.cells[name], notes)),
  ])
  return table(head, rows)
}

function mark(cell: Cell | undefined, notes: Notes): string {
  if (cell === undefined) return '·'
  if (isGood(cell)) return cell.era === 'session' ? '✓ s' : '✓'
  const [reached] = [cell.list && 'list', cell.connect && 'connect', '✗'].filter(one => one !== false)
  return `${reached} ${notes.number(cell)}`
}

function featureTables(results: Results, notes: Notes): string {
  const tried = servers.filter(({ name }) =>
    Object.values(results.clients).some(client => client.features[name] !== undefined),
  )
  const libraries = listed(results).filter(({ kind }) => kind === 'library')
  return tried
    .map(({ name, title }) => {
      const of = (client: ClientKind) => results.clients[client.name]?.features[name] ?? {}
      const shown = features.filter(feature => libraries.some(client => of(client)[feature] !== undefined))
      const rows = libraries.map(client => [
        client.title,
        ...shown.map(feature => featureMark(of(client)[feature], notes)),
      ])
      return `### Against ${title}\n\n${table(['', ...shown], rows)}`
    })
    .join('\n\n')
}

function featureMark(cell: FeatureCell | undefined, notes: Notes): string {
  if (cell === undefined) return '·'
  if (!cell.offered) return '–'
  return cell.ok ? '✓' : `✗ ${notes.number(cell)}`
}

function clientTable(results: Results): string {
  const rows = listed(results).map(({ name, title, how }) => {
    const { version = '', date = '' } = results.clients[name] ?? {}
    return [title, version, how, date]
  })
  return table(['client', 'version', 'how it was driven', 'run on'], rows)
}

function serverTable(results: Results): string {
  const rows = servers.map(({ name, title, transport, call }) => {
    const { version = '' } = results.servers[name] ?? {}
    return [title, version, transport, `\`${call.tool}\``]
  })
  return table(['server', 'version', 'transport', 'tool called'], rows)
}

function listed(results: Results): ClientKind[] {
  return clients.filter(({ name }) => results.clients[name] !== undefined)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
