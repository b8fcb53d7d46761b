import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { timeOf } from './audit.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import { readText } from './read-text.ts'
import { secretsFor } from './secrets.ts'
import { cell, table } from './table.ts'

type SimulateOptions = SharedOptions & {
  readonly file?: string
  readonly prune?: boolean
  readonly policy?: string
  readonly mode?: string
  readonly withoutPolicy?: string
  readonly last?: string
  readonly since?: string
}

export function addSimulateCommand(access: Command, kit: Kit): void {
  leaf(access, 'simulate', 'say which of the last decisions a change would turn over; changes nothing')
    .option('-f, --file <file>', 'a manifest to try out; - reads it from stdin')
    .option('--prune', 'as if what the manifest does not name were removed')
    .option('--policy <name=file>', 'a policy to try out, new or changed')
    .option('--mode <mode>', 'of that policy: enforce or shadow', 'enforce')
    .option('--without-policy <name>', 'a policy to try to do without')
    .option('--last <count>', 'how many decisions at most (1000; at most 10000)')
    .option('--since <time>', 'only decisions from this time on: 15m, 2h, 7d or an ISO time')
    .addHelpText(
      'after',
      `
Decisions of the audit are made again, by what holds now and by what would hold then.

Examples:
  gatehouse access simulate -f gatehouse.yaml --since 7d
  gatehouse access simulate --policy no-secrets=no-secrets.cedar --last 5000`,
    )
    .action((options: SimulateOptions) =>
      kit.online(options, 'Making decisions again', async ({ api }) => {
        const { last, since } = options
        const answer = await api.post('/access/simulate', {
          ...trialOf(kit, options),
          ...(last !== undefined && { last: countOf(last) }),
          ...(since !== undefined && { since: timeOf(since) }),
        })
        kit.show(options, answer, () => simulatedLines(answer))
      }),
    )
}

function trialOf(
  kit: Kit,
  { file, prune = false, policy, mode, withoutPolicy }: SimulateOptions,
): JsonObject {
  const manifest = file === undefined ? undefined : readText(kit, file)
  return {
    ...(manifest !== undefined && { manifest, secrets: secretsFor(manifest, kit), prune }),
    ...(policy !== undefined && { policy: policyOf(kit, policy, mode) }),
    ...(withoutPolicy !== undefined && { withoutPolicy }),
  }
}

function policyOf(kit: Kit, text: string, mode: string | undefined): JsonObject {
  const at = text.indexOf('=')
  if (at < 1)
    fail('cli.usage', {
      why: '--policy lacks the = between name and file.',
      fix: 'Write --policy <name>=<file>.',
    })
  return { name: text.slice(0, at), text: readText(kit, text.slice(at + 1)), mode }
}

function countOf(text: string): number {
  const count = Number(text)
  return Number.isInteger(count)
    ? count
    : fail('cli.usage', { why: `${text} is not a whole number.`, fix: 'Write --last 1000.' })
}

const columns = [
  ['WHO', 'subject'],
  ['SERVER', 'server'],
  ['WHAT', ({ method, thing }: JsonObject) => (thing === null ? method : `${cell(method)} ${cell(thing)}`)],
  ['FROM', 'from'],
  ['TO', 'to'],
  ['TIMES', 'count'],
  ['WHY NOW', 'before'],
  ['WHY THEN', 'after'],
  ['FOR EXAMPLE', ({ example }: JsonObject) => exampleOf(example)],
] as const

function exampleOf(example: unknown): string {
  if (!isObject(example)) return '-'
  return `${new Date(Number(example.at)).toISOString()} ${cell(example.requestId)}`
}

function simulatedLines({ replayed, flipped, flips, undecided, drifted, why }: JsonObject): string[] {
  const rows = objects(flips)
  const notes = objects(undecided).map(
    ({ count, says }) => `${cell(count)} could not be made again exactly: ${cell(says)}`,
  )
  const drift =
    drifted === 0
      ? []
      : [
          `${cell(drifted)} are decided otherwise already now than they were then; not because of this change.`,
        ]
  return [
    `${cell(flipped)} of ${cell(replayed)} decisions would be turned over.`,
    ...(why === undefined ? [] : [cell(why)]),
    ...(rows.length === 0 ? [] : ['', ...table(rows, columns)]),
    ...(notes.length + drift.length === 0 ? [] : ['', ...notes, ...drift]),
  ]
}

function objects(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}
