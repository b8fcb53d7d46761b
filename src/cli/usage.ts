import type { Command } from 'commander'
import { timeOf } from './audit.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import type { Column } from './table.ts'

type UsageOptions = SharedOptions & {
  readonly by: string
  readonly since?: string
  readonly until?: string
  readonly provider?: string
  readonly csv?: boolean
}

const counts: readonly Column[] = [
  ['CALLS', 'calls'],
  ['REFUSED', 'refused'],
  ['FAILED', 'failed'],
]

export function addUsageCommand(program: Command, kit: Kit): void {
  leaf(program, 'usage', 'count calls: who used what how often')
    .option('--by <columns>', 'what calls are told apart by: who, provider, group, server, tool', 'who')
    .option('--since <time>', 'from this time on: 15m, 2h, 7d or 2026-01-31T12:00:00Z; 30 days unless told')
    .option('--until <time>', 'up to this time')
    .option('--provider <name>', 'only people of this identity provider')
    .option('--csv', 'answer as CSV')
    .action(({ by, since, until, provider, csv, ...options }: UsageOptions) =>
      kit.online(options, 'Counting calls', async ({ api }) => {
        const query = new URLSearchParams({ by })
        if (since !== undefined) query.set('since', timeOf(since))
        if (until !== undefined) query.set('until', timeOf(until))
        if (provider !== undefined) query.set('provider', provider)
        const list = await api.list(`/usage?${query}`)
        const columns: Column[] = [
          ...by.split(',').map((name): Column => [name.toUpperCase(), name]),
          ...counts,
        ]
        if (csv !== true) return kit.showList(options, list, columns)
        for (const line of csvLines(list.items, columns)) kit.terminal.line(line)
      }),
    )
}

/** RFC 4180, under names of columns. What a spreadsheet would take for a formula is text. */
function csvLines(items: readonly Readonly<Record<string, unknown>>[], columns: readonly Column[]): string[] {
  const keys = columns.map(([title]) => title.toLowerCase())
  return [keys.join(','), ...items.map(item => keys.map(key => csvCell(item[key])).join(','))]
}

function csvCell(value: unknown): string {
  if (typeof value === 'number') return String(value)
  const text = value === null || value === undefined ? '' : String(value)
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
