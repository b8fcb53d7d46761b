import { readFileSync } from 'node:fs'
import { referencesIn } from '../vault/index.ts'
import type { Kit } from './kit.ts'

/**
 * The values of the `${env:NAME}` and `${file:/path}` in a text, from where this command runs; the gateway reads neither
 * its environment nor its disk for anybody. What is not there is left out: the gateway says where it was needed.
 */
export function secretsFor(text: string, from: Pick<Kit, 'environment'>): Record<string, string> {
  const secrets: Record<string, string> = {}
  for (const name of referencesIn(text)) {
    const value = name.startsWith('env:') ? from.environment[name.slice(4)] : fileText(name.slice(5))
    if (value !== undefined) secrets[name] = value
  }
  return secrets
}

function fileText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
