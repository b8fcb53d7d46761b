/** The `gatehouse` command: what can be typed, and how it ends. */
import { Command, CommanderError } from 'commander'
import type { Environment } from '../config/load.ts'
import { GatewayError } from '../foundation/errors.ts'
import { version } from '../foundation/version.ts'
import { addAccessCommands } from './access.ts'
import { addAccountCommands } from './account.ts'
import { addManifestCommands } from './apply.ts'
import { addAuditCommand } from './audit.ts'
import { addBackupCommands } from './backup.ts'
import { addCallCommand } from './call.ts'
import { exitCodes } from './command-error.ts'
import { addCompletionCommands } from './completion.ts'
import { addConnectCommand } from './connect.ts'
import { addDoctorCommand } from './doctor.ts'
import { addGroupCommands } from './group.ts'
import { addIdentityProviderCommands } from './identity-provider.ts'
import { addKeysCommands } from './keys.ts'
import { type Kit, openKit, report } from './kit.ts'
import { addOAuthClientCommands } from './oauth-client.ts'
import { addPolicyCommands } from './policy.ts'
import { addServerCommands } from './server.ts'
import { addStartCommand } from './start.ts'
import { addTeamCommands } from './team.ts'
import type { Terminal } from './terminal.ts'
import { addTokenCommands } from './token.ts'
import { addToolsCommand } from './tools.ts'
import { addUsageCommand } from './usage.ts'
import { addUserCommands } from './user.ts'
import { addVirtualCommands } from './virtual.ts'

const families: readonly ((program: Command, kit: Kit) => void)[] = [
  addStartCommand,
  addManifestCommands,
  addServerCommands,
  addToolsCommand,
  addCallCommand,
  addConnectCommand,
  addUserCommands,
  addTeamCommands,
  addAccountCommands,
  addOAuthClientCommands,
  addGroupCommands,
  addPolicyCommands,
  addIdentityProviderCommands,
  addAccessCommands,
  addVirtualCommands,
  addTokenCommands,
  addAuditCommand,
  addUsageCommand,
  addDoctorCommand,
  addKeysCommands,
  addBackupCommands,
  addCompletionCommands,
]

type Invocation = {
  readonly words: readonly string[]
  readonly terminal: Terminal
  readonly environment: Environment
  readonly workingDirectory: string
}

/** Runs one command line; resolves to its exit code. */
export async function runCommand({ words, ...surroundings }: Invocation): Promise<number> {
  let exitCode: number = exitCodes.ok
  const setExitCode = (code: number) => {
    exitCode = code
  }
  const program = buildProgram(openKit({ ...surroundings, setExitCode }))
  try {
    await program.parseAsync(words, { from: 'user' })
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown
    if (thrown.exitCode === 0) return exitCodes.ok
    // Asking a group of commands for nothing shows its help, which is an answer but not what was asked for.
    if (thrown.code === 'commander.help') return exitCodes.usage
    return report(surroundings.terminal, usageError(thrown), words.includes('--json'))
  }
  return exitCode
}

function usageError({ message }: CommanderError): GatewayError {
  const [why = '', ...suggestion] = message.replace(/^error: /, '').split('\n')
  const fix = suggestion.join(' ').replace(/[()]/g, '').trim()
  return new GatewayError('cli.usage', { why: `${why}.`, ...(fix !== '' && { fix }) })
}

function buildProgram(kit: Kit): Command {
  const program = new Command('gatehouse')
    .description('An open MCP gateway: one place between AI agents and the tools they call.')
    .version(version)
    .enablePositionalOptions()
    .exitOverride()
    // The errors of the parser get the same dress as all others.
    .configureOutput({ outputError: () => undefined })
    .addHelpText(
      'after',
      '\nCommands act on the gateway of this machine, or on GATEHOUSE_URL with GATEHOUSE_TOKEN.\n' +
        'Exit codes: 0 ok, 1 failed, 2 usage, 3 not authorised, 4 unreachable.',
    )
  for (const add of families) add(program, kit)
  return program
}
