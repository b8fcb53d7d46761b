import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fail } from '../foundation/errors.ts'
import type { Kit } from './kit.ts'

/** The text of a file that was named on the command line; `-` is stdin. Throws `cli.usage`. */
export function readText(kit: Kit, file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : resolve(kit.workingDirectory, file), 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    return fail('cli.usage', {
      why: `${file} cannot be read (${code}).`,
      fix: 'Name a file that is there.',
      cause,
    })
  }
}
