/** Arguments by which an interpreter or package runner takes code, a loader or a registry from the command line. */

type Program = {
  readonly names: RegExp
  /** Options that are refused wherever the program itself would read them. */
  readonly refused: RegExp
  /** Options known to take no value: what follows them is the script or package, and everything after belongs to that. */
  readonly flags: RegExp
  /** The option after which everything belongs to the script or package. */
  readonly last?: RegExp
  /** First words that are refused, for programs with subcommands. */
  readonly refusedWords?: RegExp
  /** First words after which the program still reads options itself. */
  readonly subcommands?: RegExp
}

const runnerRefused =
  /^(?:-c|--call.*|--shell.*|--script-shell.*|--node-options.*|--(?:@[^:]*:)?registry.*|--(?:user|global)config.*|--index.*|--extra-index-url.*|--default-index.*|--find-links.*|-i|-f|-e|--eval.*|--from=(?:git|https?|ssh|file).*|(?:git\+|https?:|ssh:|file:).*)$/
const runnerFlags =
  /^(?:-y|--yes|-q|--quiet|-s|--silent|--no-.*|--prefer-(?:online|offline)|--offline|--isolated|-v|--verbose)$/

const programs: readonly Program[] = [
  {
    names: /^(?:node|nodejs|bun|tsx|ts-node|deno)[\d.]*$/,
    refused:
      /^(?:-e|-c|-p|-pe|-r|-i|-|--eval.*|--print.*|--check|--interactive|--require.*|--import.*|--(?:experimental-)?loader.*|--preload.*|--node-options.*|--inspect.*|--run.*)$/,
    flags: /^--(?:no-.*|enable-source-maps|experimental-(?:strip|transform)-types|use-system-ca)$/,
    refusedWords: /^(?:eval|repl|exec|x)$/,
    subcommands: /^run$/,
  },
  {
    names: /^(?:python|pypy)[\d.]*w?$/,
    // Short options run together: -Ic is -I and -c. After -m, -W and -X the letters are a value.
    refused: /^-(?:[^-mWXc]*c.*|[^-mWXi]*i.*)?$/,
    flags: /^-[^-mWX]+$/,
    last: /^-[^-WX]*m/,
  },
  {
    names: /^(?:perl|ruby|php|lua|luajit|osascript|rscript)[\d.]*$/,
    refused: /^-(?:[^-MmIW]*[eEr].*)?$/,
    flags: /^$/,
  },
  {
    names: /^(?:npx|bunx|pnpx|uvx|pipx|npm|pnpm|yarn|uv)$/,
    refused: runnerRefused,
    flags: runnerFlags,
    subcommands: /^(?:exec|x|dlx|run|tool)$/,
  },
]

/** Why the program may not get these arguments, or undefined. */
export function inlineCodeObjection(name: string, args: readonly string[]): string | undefined {
  const program = programs.find(candidate => candidate.names.test(name))
  if (program === undefined) return undefined
  const refused = ownArguments(program, args).find(argument => program.refused.test(argument))
  if (refused !== undefined)
    return `The option ${refused.slice(0, 64)} makes ${name} take code or packages from elsewhere than the server named; options of the server itself stand after it.`
  const word = args[0]
  return word !== undefined && program.refusedWords?.test(word)
    ? `${name} ${word} runs code from the command line.`
    : undefined
}

/**
 * The arguments the program may read as its own: up to its script or package. What follows an option that could take a
 * value might be that value, so it ends nothing; joining them with = makes it plain.
 */
function ownArguments({ flags, subcommands, last }: Program, args: readonly string[]): string[] {
  const own: string[] = []
  let mayBeValue = false
  for (const argument of args) {
    if (argument === '--') break
    const isOption = argument.startsWith('-')
    if (!isOption && !mayBeValue && !subcommands?.test(argument)) break
    own.push(argument)
    if (last?.test(argument)) break
    mayBeValue = isOption && !argument.includes('=') && !flags.test(argument)
  }
  return own
}
