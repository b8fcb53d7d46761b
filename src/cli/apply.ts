import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { isObject } from '../foundation/json.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import { planLines } from './plan-lines.ts'
import { secretsFor } from './secrets.ts'

type ApplyOptions = SharedOptions & {
  readonly file: string
  readonly dryRun?: boolean
  readonly prune?: boolean
}

export function addManifestCommands(program: Command, kit: Kit): void {
  leaf(program, 'apply', 'make the gateway as a manifest says, all or nothing')
    .requiredOption('-f, --file <file>', 'the manifest; - reads it from stdin')
    .option('--dry-run', 'only show the plan')
    .option('--prune', 'also remove what the manifest does not name')
    .action((options: ApplyOptions) =>
      kit.online(options, 'Applying the manifest', async ({ api }) => {
        const manifest = readManifest(kit, options.file)
        const { dryRun = false, prune = false } = options
        const secrets = secretsFor(manifest, kit)
        const answer = await api.post('/manifest', { manifest, secrets, dryRun, prune })
        const plan = Array.isArray(answer.plan) ? answer.plan.filter(isObject) : []
        kit.show(options, answer, () => planLines(kit, plan, answer.applied === true))
      }),
    )
  leaf(program, 'export', 'print the manifest of the gateway as it is; secrets stay references').action(
    (options: SharedOptions) =>
      kit.online(options, 'Reading the manifest', async ({ api }) => {
        const answer = await api.get('/manifest')
        kit.show(options, answer, () => [String(answer.manifest).trimEnd()])
      }),
  )
}

function readManifest(kit: Kit, file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : resolve(kit.workingDirectory, file), 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    return fail('cli.usage', {
      why: `${file} cannot be read (${code}).`,
      fix: 'Name a manifest with -f.',
      cause,
    })
  }
}
