import { delimiter, dirname } from 'node:path'
import { markName } from './process-group.ts'

// What a program needs to find its home and its temporary files, and to speak the user's language.
const personal = ['HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR']
// Whom this machine trusts: without these, npx and its like reach no registry behind a certificate authority of one's own.
const trusted = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR']
const neededByWindows = ['SystemRoot', 'USERPROFILE', 'APPDATA', 'LOCALAPPDATA', 'TEMP', 'TMP', 'PATHEXT']

export type Environment = Readonly<Record<string, string | undefined>>

/** The whole environment of a server process: a short list out of the gateway's, the server's own settings, and the mark. */
export function processEnvironment(
  gateway: Environment,
  own: Environment,
  mark: string,
): Record<string, string> {
  const names = [...personal, ...trusted, ...(process.platform === 'win32' ? neededByWindows : [])]
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
