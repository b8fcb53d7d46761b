import { constants, copyFileSync, existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { openMasterKey } from '../foundation/master-key.ts'
import { exitCodes } from './command-error.ts'
import { keyLines, verifiedLines } from './key-lines.ts'
import { followRotation } from './key-rotation.ts'
import { type Kit, leaf, type SharedOptions, shared } from './kit.ts'

export function addKeysCommands(program: Command, kit: Kit): void {
  const keys = program
    .command('keys')
    .description('the keys under which secrets are stored, and the master key on which every token hangs')
  const show = keys.command('show', { isDefault: true })
  shared(show.description('which keys there are, and how many secrets are under each; never a key itself'))
    .option('--json', 'answer as JSON')
    .action((options: SharedOptions) =>
      kit.online(options, 'Counting secrets', async ({ api }) => {
        const answer = { master: masterKeyOf(kit, options) ?? null, ...(await api.get('/vault/keys')) }
        kit.show(options, answer, () => keyLines(answer))
      }),
    )
  addRotate(keys, kit)
  leaf(keys, 'verify', 'open every stored secret, and say how many open and which do not').action(
    (options: SharedOptions) =>
      kit.online(options, 'Opening secrets', async ({ api }) => {
        const answer = await api.post('/vault/keys/verify', {})
        kit.show(options, answer, () => verifiedLines(answer))
        if (answer.unopenedCount !== 0 || String(answer.strays) !== '') kit.setExitCode(exitCodes.failed)
      }),
  )
  leaf(keys, 'backup <file>', 'copy the master key to a new file').action(
    (file: string, options: SharedOptions) => kit.run(options, () => backUp(kit, file, options)),
  )
}

type RotateOptions = SharedOptions & { readonly signing?: boolean }

function addRotate(keys: Command, kit: Kit): void {
  leaf(keys, 'rotate', 'move every stored secret to a new key of vault.key, while everything goes on')
    .option(
      '--signing',
      'instead, sign ID tokens of OAuth clients with new keys; the old ones stay published',
    )
    .addHelpText(
      'after',
      '\nOne that was interrupted is gone on with, and the gateway also does so by itself.',
    )
    .action((options: RotateOptions) =>
      options.signing === true
        ? kit.online(options, 'Making new keys', async ({ api }) => {
            const made = await api.post('/oauth/keys/rotate', {})
            kit.show(options, made, () => [
              'New keys sign ID tokens from now on. What the old ones signed stays good.',
            ])
          })
        : kit.online(options, 'Moving secrets', session => followRotation(kit, options, session)),
    )
}

function backUp(kit: Kit, file: string, options: SharedOptions): void {
  const { dataDir, vault } = kit.readConfig(options)
  const from = keyFile(dataDir)
  if (!existsSync(from))
    fail('cli.usage', {
      why: `There is no master key in ${dataDir} yet.`,
      fix: 'Start the gateway once, or name its --data-dir.',
    })
  const to = resolve(kit.workingDirectory, file)
  if (existsSync(to)) fail('cli.usage', { why: `${to} exists.`, fix: 'Name a file that does not exist yet.' })
  // The copy has the mode of the original, which only its owner may read.
  copyFileSync(from, to, constants.COPYFILE_EXCL)
  const others = Object.keys(vault.keys)
  kit.show(options, { file: to, notIncluded: others }, () => [
    `Copied the master key to ${to}. Keep it away from the database.`,
    ...(others.length === 0 ? [] : [`Not in it, and needed as well: ${others.join(', ')} of vault.keys.`]),
  ])
}

const keyFile = (dataDir: string) => join(dataDir, 'keys', 'master.key')

/** Of the gateway on this machine; nobody is told that of another. */
function masterKeyOf(kit: Kit, options: SharedOptions): { id: string; file: string } | undefined {
  if ((kit.environment.GATEHOUSE_URL ?? '') !== '') return undefined
  const { dataDir } = kit.readConfig(options)
  const id = openMasterKey(dataDir).derive('key id').toString('hex').slice(0, 16)
  return { id, file: keyFile(dataDir) }
}
