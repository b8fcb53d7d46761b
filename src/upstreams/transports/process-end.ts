import { existsSync } from 'node:fs'

/** Why a process is of no use any more. Everything in it may be shown to those who manage the server, not to its callers. */
export type ProcessEnd = {
  readonly kind:
    | 'stopped' // asked for
    | 'exited' // by itself, or by a signal that was not ours
    | 'not-started'
    | 'line-too-long'
    | 'not-reading'
    | 'pipe-closed' // it closed its stdin or stdout, but ran on
  /** One sentence for a person. */
  readonly why: string
  /** Null unless it exited by itself. */
  readonly exitCode: number | null
  /** Null unless a signal ended it. */
  readonly signal: NodeJS.Signals | null
  /** The last lines on stderr, redacted. */
  readonly stderr: readonly string[]
}

export type EndFacts = Pick<ProcessEnd, 'kind' | 'exitCode' | 'signal'> & { readonly error?: Error }

export type Attempt = {
  readonly command: string
  readonly cwd: string
  readonly path: string
  readonly lineBytes: number
}

export function explainEnd({ kind, exitCode, signal, error }: EndFacts, attempt: Attempt): string {
  switch (kind) {
    case 'stopped':
      return 'It was stopped.'
    case 'exited':
      return signal === null ? `It exited with code ${exitCode}.` : `It was ended by ${signal}.`
    case 'not-started':
      return explainStart(error, attempt)
    case 'line-too-long':
      return `It wrote a line of more than ${attempt.lineBytes} bytes to stdout.`
    case 'not-reading':
      return 'It does not read its stdin: too much is waiting for it.'
    case 'pipe-closed':
      return 'It closed its stdin or stdout, but ran on.'
  }
}

function explainStart(error: Error | undefined, { command, cwd, path }: Attempt): string {
  const code = error && 'code' in error ? error.code : undefined
  if (code === 'EACCES') return `${command} may not be executed.`
  if (code !== 'ENOENT') return `The system refused to start it (${String(code)}).`
  // The system says ENOENT of the directory and of an interpreter as well.
  if (!existsSync(cwd)) return `Its working directory ${cwd} does not exist.`
  if (command.includes('/'))
    return `${command} does not exist, or the interpreter in its first line does not.`
  return `${command} was not found on the PATH ${path}`
}
