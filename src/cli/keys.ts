import { constants, copyFileSync, existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { openMasterKey } from '../foundation/master-key.ts'
import { type Kit, leaf, type SharedOptions, shared } from './kit.ts'

export function addKeysCommands(program: Command, kit: Kit): void {
  const keys = program
    .command('keys')
    .description('the master key, on which every stored secret and token hangs')
  const show = keys.command('show', { isDefault: true })
  shared(show.description('show which key this is and where it lies; never the key itself'))
    .option('--json', 'answer as JSON')
    .action((options: SharedOptions) =>
      kit.run(options, () => {
        const { dataDir } = kit.readConfig(options)
        const file = keyFile(dataDir)
        const id = openMasterKey(dataDir).derive('key id').toString('hex').slice(0, 16)
        kit.show(options, { id, file }, () => [`id    ${id}`, `file  ${file}`])
      }),
    )
  leaf(keys, 'rotate', 'sign ID tokens of OAuth clients with new keys; the old ones stay published').action(
    (options: SharedOptions) =>
      kit.online(options, 'Making new keys', async ({ api }) => {
        const made = await api.post('/oauth/keys/rotate', {})
        kit.show(options, made, () => [
          'New keys sign ID tokens from now on. What the old ones signed stays good.',
        ])
      }),
  )
  leaf(keys, 'backup <file>', 'copy the master key to a new file').action(
    (file: string, options: SharedOptions) =>
      kit.run(options, () => {
        const from = keyFile(kit.readConfig(options).dataDir)
        const to = resolve(kit.workingDirectory, file)
        if (existsSync(to))
          fail('cli.usage', { why: `${to} exists.`, fix: 'Name a file that does not exist yet.' })
        // The copy has the mode of the original, which only its owner may read.
        copyFileSync(from, to, constants.COPYFILE_EXCL)
        kit.show(options, { file: to }, () => [
          `Copied the master key to ${to}. Keep it away from the database.`,
        ])
      }),
  )
}

function keyFile(dataDir: string): string {
  const file = join(dataDir, 'keys', 'master.key')
  if (existsSync(file)) return file
  return fail('cli.usage', {
    why: `There is no master key in ${dataDir} yet.`,
    fix: 'Start the gateway once, or name its --data-dir.',
  })
}
