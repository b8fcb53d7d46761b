/** The process: picks the command, and ends with its exit code. */
import { runCommand } from './cli/program.ts'
import { openTerminal } from './cli/terminal.ts'
import { environment } from './config/load.ts'

const terminal = openTerminal(process.stdout, process.stderr)

// Nothing is known about the state after an error nobody caught. The audit is on disk before any answer, so stopping loses nothing.
process.on('uncaughtException', (error, origin) => {
  terminal.note(`Stopping after an error nobody caught (${origin}): ${error.stack ?? error.message}`)
  process.exit(1)
})
// A reader such as head may leave early.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

process.exitCode = await runCommand({
  words: process.argv.slice(2),
  terminal,
  environment,
  workingDirectory: process.cwd(),
})
