/** Which programs the gateway starts, and how: never a shell, never code from the command line, never a changed loader. */
import { accessSync, constants, realpathSync } from 'node:fs'
import { basename, delimiter, isAbsolute, join } from 'node:path'
import { fail } from '../foundation/errors.ts'
import { inlineCodeObjection } from './interpreter-arguments.ts'

export type Command = {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, unknown>>
}

/** Shells, and programs whose purpose is to start another one. */
const launchers = new Set(
  `sh bash dash zsh ksh mksh ash fish csh tcsh rbash rksh busybox toybox cmd powershell pwsh wscript cscript
  env xargs sudo su doas pkexec runuser setpriv nohup setsid timeout nice ionice stdbuf chroot unshare nsenter
  systemd-run script ssh flock parallel watch strace ltrace gdb awk gawk mawk expect socat`.split(/\s+/),
)

const loaderVariables =
  /^(?:NODE_OPTIONS|NODE_PATH|NODE_REPL_.*|LD_.*|DYLD_.*|PYTHON.*|PATH|NPM_CONFIG_.*|GIT_.*|PIP_.*|UV_.*|BUN_.*|DENO_.*|BASH_ENV|ENV|SHELLOPTS|IFS|PERL5?(?:OPT|LIB|DB)|RUBY(?:OPT|LIB)|_?JAVA_(?:TOOL_)?OPTIONS|JDK_JAVA_OPTIONS|GCONV_PATH|GLIBC_TUNABLES|COMSPEC|PATHEXT)$/i

/**
 * Throws `upstream.command_refused` with the reason. Everything that starts a process asks here first, and again right
 * before it starts: what a name means may have changed since. `searchPath` is the PATH that bare names are looked up on.
 */
export function checkCommand({ command, args, env }: Command, searchPath: string): void {
  const objection =
    commandObjection(command, searchPath) ?? argumentObjection(command, args) ?? environmentObjection(env)
  if (objection !== undefined) fail('upstream.command_refused', { why: objection })
}

function commandObjection(command: string, searchPath: string): string | undefined {
  if (hasControl(command)) return 'The command holds a control character.'
  if (/^-|\s$|^\s/.test(command)) return 'The command begins with a hyphen or has spaces around it.'
  if (!isAbsolute(command) && /[/\\]/.test(command))
    return `${command} is a relative path; write a bare name such as npx, or an absolute path.`
  const names = [command, ...(resolved(command, searchPath) ?? [])].map(programName)
  const launcher = names.find(name => launchers.has(name))
  if (launcher === undefined) return undefined
  return `${command} ${launcher === programName(command) ? 'is' : `leads to ${launcher},`} a shell or a program that starts others; name the server's own program.`
}

/** Where the command is and what it is in truth, behind every link; undefined when there is no such program. */
function resolved(command: string, searchPath: string): [string, string] | undefined {
  const candidates = isAbsolute(command)
    ? [command]
    : searchPath
        .split(delimiter)
        .filter(isAbsolute)
        .map(directory => join(directory, command))
  const found = candidates.find(isExecutable)
  return found === undefined ? undefined : [found, realpathSync(found)]
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** `/usr/bin/Python3.12` and `PYTHON.EXE` are both python to the rules. */
export function programName(command: string): string {
  return basename(command.replaceAll('\\', '/'))
    .toLowerCase()
    .replace(/\.(?:exe|cmd|bat|com|ps1)$/, '')
}

function argumentObjection(command: string, args: readonly string[]): string | undefined {
  if (args.some(hasControl)) return 'An argument holds a line break or another control character.'
  const reference = args.find(argument => argument.includes('${'))
  if (reference !== undefined)
    return 'An argument holds a reference; those are resolved in env only, where other users of the machine cannot see them.'
  return inlineCodeObjection(programName(command), args)
}

/** Why a process may not be given these variables; undefined when it may. */
export function environmentObjection(env: Command['env']): string | undefined {
  const name = Object.keys(env).find(variable => loaderVariables.test(variable))
  return name === undefined
    ? undefined
    : `The variable ${name} changes how programs are found or loaded; it may not be set.`
}

function hasControl(text: string): boolean {
  return /[^\P{Cc}\t]/u.test(text)
}
