import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { isObject } from '../foundation/json.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import { checkLock, writeLock } from './lock.ts'
import { planLines } from './plan-lines.ts'
import { readText } from './read-text.ts'
import { secretsFor } from './secrets.ts'

type ApplyOptions = SharedOptions & {
  readonly file?: string
  readonly lock?: string
  readonly dryRun?: boolean
  readonly prune?: boolean
}

type ExportOptions = SharedOptions & { readonly lock?: string | true; readonly check?: string }

export function addManifestCommands(program: Command, kit: Kit): void {
  leaf(program, 'apply', 'make the gateway as a manifest says, all or nothing')
    .option('-f, --file <file>', 'the manifest; - reads it from stdin')
    .option(
      '--lock <file>',
      'a lockfile: approve exactly its tools, and hold every other of the servers it names',
    )
    .option('--dry-run', 'only show the plan')
    .option('--prune', 'also remove what the manifest does not name')
    .action((options: ApplyOptions) =>
      kit.online(options, 'Applying the manifest', async ({ api }) => {
        const { file, lock, dryRun = false, prune = false } = options
        if (file === undefined && lock === undefined)
          fail('cli.usage', {
            why: 'There is nothing to apply.',
            fix: 'Name a manifest with -f, or a lockfile with --lock.',
          })
        const manifest = file === undefined ? undefined : readText(kit, file)
        const answer = await api.post('/manifest', {
          ...(manifest !== undefined && { manifest, secrets: secretsFor(manifest, kit) }),
          ...(lock !== undefined && { lock: readText(kit, lock) }),
          dryRun,
          prune,
        })
        const plan = Array.isArray(answer.plan) ? answer.plan.filter(isObject) : []
        kit.show(options, answer, () => planLines(kit, plan, answer.applied === true))
      }),
    )
  leaf(program, 'export', 'print the manifest of the gateway as it is; secrets stay references')
    .option('--lock [file]', 'write the approved tools to a lockfile instead (gatehouse.lock; - prints it)')
    .option(
      '--check <file>',
      'with --lock: write nothing, but say how this lockfile differs, and end with 1 when it does',
    )
    .action((options: ExportOptions) =>
      kit.online(options, 'Reading the manifest', async session => {
        if (options.check !== undefined) return checkLock(kit, session, options.check, options)
        if (options.lock !== undefined) return writeLock(kit, session, options)
        const answer = await session.api.get('/manifest')
        kit.show(options, answer, () => [String(answer.manifest).trimEnd()])
      }),
    )
}
