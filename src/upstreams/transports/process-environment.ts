import { delimiter, dirname } from 'node:path'
import { markName } from './process-group.ts'

// What a program needs to find its home, its temporary files, other programs, and to speak the user's language.
const passedOn = ['HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR']
const passedOnByWindows = ['SystemRoot', 'USERPROFILE', 'APPDATA', 'LOCALAPPDATA', 'TEMP', 'TMP', 'PATHEXT']

export type Environment = Readonly<Record<string, string | undefined>>

/** The whole environment of a server process: a short list out of the gateway's, the server's own settings, and the mark. */
export function processEnvironment(
  gateway: Environment,
  own: Environment,
  mark: string,
): Record<string, string> {
  const names = process.platform === 'win32' ? [...passedOn, ...passedOnByWindows] : passedOn
  const environment: Record<string, string> = { PATH: searchPath(gateway) }
  for (const name of names) if (gateway[name] !== undefined) environment[name] = gateway[name]
  for (const [name, value] of Object.entries(own)) if (value !== undefined) environment[name] = value
  environment[markName] = mark
  return environment
}

/** The gateway's PATH, on which `node` is the one that runs the gateway: an older one may come first on the machine. */
export function searchPath(gateway: Environment): string {
  const here = dirname(process.execPath)
  const path = gateway.PATH ?? gateway.Path ?? ''
  const entries = path.split(delimiter).filter(entry => entry !== '')
  return (entries.includes(here) ? entries : [here, ...entries]).join(delimiter)
}
