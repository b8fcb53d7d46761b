/** What the address of a server may hold. Where it leads is checked when it is connected to. */
import { isCredentialName, isCredentialValue } from '../foundation/credential.ts'
import { fail } from '../foundation/errors.ts'

/** Throws `upstream.address_refused` when the URL carries credentials, which would end up in logs and lists. */
export function checkUrl(text: string): void {
  const objection = urlObjection(text)
  if (objection !== undefined)
    fail('upstream.address_refused', { why: objection, fix: 'Correct the URL that "why" is about.' })
}

function urlObjection(text: string): string | undefined {
  if (text.includes('${')) return 'The URL holds a reference; secrets belong into headers of the auth.'
  const url = URL.parse(text)
  if (url === null) return 'The URL does not parse.'
  if (url.username !== '' || url.password !== '')
    return 'The URL holds a user name or password; use auth: { kind: headers } instead.'
  if (text.includes('#')) return 'The URL has a fragment, which is never sent.'
  for (const [name, value] of url.searchParams) {
    if (isCredentialName(name) || isCredentialValue(value))
      return `The query parameter ${name} looks like a secret; send it as a header with auth: { kind: headers }.`
  }
  return undefined
}
