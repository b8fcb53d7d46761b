/** `${env:NAME}` and `${file:/path}`: how secrets stand in manifests. Only the asker resolves them; the gateway reads neither its environment nor its disk for anybody. */
import { fail } from '../foundation/errors.ts'

/** Values of references by `env:NAME` or `file:/path`. */
export type Secrets = Readonly<Record<string, string>>

const reference = /\$\{((?:env:[A-Za-z_][A-Za-z0-9_]*)|(?:file:\/[^}\r\n]+))\}/g

/** The references in a text, each once, as `env:NAME` and `file:/path`. */
export function referencesIn(text: string): string[] {
  return [...new Set(Array.from(text.matchAll(reference), match => match[1] ?? ''))]
}

/** Why the text cannot be resolved whatever the secrets, or undefined. */
export function malformedReference(text: string): string | undefined {
  const at = text.replace(reference, '').indexOf('${')
  if (at < 0) return undefined
  const name = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}/.exec(text.replace(reference, '').slice(at))?.[1]
  const example = name === undefined ? `\${env:NAME} or \${file:/path}` : `\${env:${name}}`
  return `"\${" begins a reference that is not well formed; write ${example}`
}

/** The references of the text that have no value. */
export function missingIn(text: string, secrets: Secrets): string[] {
  return referencesIn(text).filter(name => !Object.hasOwn(secrets, name))
}

/** The text with every reference replaced by its value. Values are not searched again. Throws `vault.secret_missing`. */
export function resolveReferences(text: string, secrets: Secrets): string {
  const malformed = malformedReference(text)
  if (malformed !== undefined) fail('vault.secret_missing', { why: `${malformed}.` })
  const missing = missingIn(text, secrets)
  if (missing.length > 0)
    fail('vault.secret_missing', {
      why: `No value was sent for ${missing.join(' and ')}.`,
      data: { missing },
    })
  return text.replace(reference, (_, name: string) => secretFor(name, secrets))
}

function secretFor(name: string, secrets: Secrets): string {
  const value = secrets[name] ?? ''
  // Editors end files with a line break that nobody means.
  return name.startsWith('file:') ? value.replace(/\r?\n$/, '') : value
}
