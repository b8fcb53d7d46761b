import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { isObject } from '../foundation/json.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import { type Column, cell } from './table.ts'

const columns: readonly Column[] = [
  ['AT', item => new Date(Number(item.at)).toISOString()],
  ['WHO', item => (isObject(item.who) ? item.who.name : undefined)],
  ['ACTION', 'action'],
  ['TARGET', item => [item.target, item.subject].filter(Boolean).map(cell).join(' ')],
  ['OUTCOME', item => (item.error ? `${cell(item.outcome)} (${cell(item.error)})` : item.outcome)],
  ['MS', item => (isObject(item.time) ? Number(item.time.total).toFixed(1) : undefined)],
  ['ID', 'id'],
]

type AuditOptions = SharedOptions &
  Readonly<
    Record<'limit' | 'before' | 'principal' | 'target' | 'action' | 'outcome' | 'since', string | undefined>
  >

export function addAuditCommand(program: Command, kit: Kit): void {
  leaf(program, 'audit', 'search what happened, newest first')
    .option('--limit <count>', 'how many events at most')
    .option('--before <id>', 'only older events than this one')
    .option('--since <time>', 'only events from this time on: 15m, 2h, 7d or 2026-01-31T12:00:00Z')
    .option('--principal <subject>', 'who: user:<email>, account:<name>')
    .option('--target <name>', 'what was used or changed: group/server, user:<email>, group:<name>')
    .option('--action <action>', 'an MCP method such as tools/call, or room.verb')
    .option('--outcome <outcome>', 'ok, tool_error, denied, rejected, error, cancelled or input_required')
    .action((options: AuditOptions) =>
      kit.online(options, 'Searching the audit', async ({ api }) => {
        const { limit, before, principal, target, action, outcome } = options
        const since = options.since === undefined ? undefined : timeOf(options.since)
        const query = new URLSearchParams()
        for (const [name, value] of Object.entries({
          limit,
          before,
          since,
          principal,
          target,
          action,
          outcome,
        }))
          if (value !== undefined) query.set(name, value)
        kit.showList(options, await api.list(`/audit?${query}`), columns)
      }),
    )
}

const unitMilliseconds = new Map([
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

/** A time as ISO text, from itself or from how long ago it was. */
export function timeOf(text: string): string {
  const [, count, unit = ''] = /^(\d+)([mhd])$/.exec(text) ?? []
  const ago = unitMilliseconds.get(unit)
  const time = ago === undefined ? Date.parse(text) : Date.now() - Number(count) * ago
  if (Number.isNaN(time))
    fail('cli.usage', { why: `${text} is not a time.`, fix: 'Write 15m, 2h, 7d or an ISO time.' })
  return new Date(time).toISOString()
}
