import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import type { Kit } from './kit.ts'

const scripts: Readonly<Record<string, string>> = {
  bash: `_gatehouse() {
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=($(gatehouse complete -- "\${words[@]}" 2>/dev/null))
}
complete -o default -F _gatehouse gatehouse`,
  zsh: `#compdef gatehouse
_gatehouse() {
  local -a candidates
  candidates=("\${(@f)$(gatehouse complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -- $candidates
  _files
}
compdef _gatehouse gatehouse`,
  fish: `complete -c gatehouse -a '(gatehouse complete -- (commandline -opc)[2..] (commandline -ct))'`,
}

export function addCompletionCommands(program: Command, kit: Kit): void {
  program
    .command('completion <shell>')
    .description('print completion for bash, zsh or fish; for example: source <(gatehouse completion bash)')
    .action((shell: string) =>
      kit.run({}, () =>
        kit.terminal.line(
          scripts[shell] ??
            fail('cli.usage', { why: `There is no completion for ${shell}.`, fix: 'Use bash, zsh or fish.' }),
        ),
      ),
    )
  program.command('complete [words...]', { hidden: true }).action((words: string[]) => {
    for (const word of candidates(program, words)) kit.terminal.line(word)
  })
}

/** What may stand where the last of the words is being typed. */
export function candidates(program: Command, words: readonly string[]): string[] {
  const typed = words.at(-1) ?? ''
  let command = program
  for (const word of words.slice(0, -1))
    command = command.commands.find(each => each.name() === word) ?? command
  const names = typed.startsWith('-')
    ? command.options.flatMap(option => option.long ?? [])
    : command.commands.map(each => each.name()).filter(name => name !== 'complete')
  return names.filter(name => name.startsWith(typed))
}
