/** What an identity provider says of somebody, by the names it has for it. */
import { isObject, type JsonObject } from '../../foundation/json.ts'
import { unseen } from '../../foundation/visible.ts'
import { emailSchema, nameSchema } from '../schemas.ts'
import { presetOf } from './presets/index.ts'
import type { IdentityProvider } from './provider.ts'

export type Said = {
  readonly subject: string
  /** Lower-case; whether it is theirs is another question. */
  readonly email: string | undefined
  /** It vouches for the address, and may. */
  readonly isEmailTheirs: boolean
  /** Why it does not, in a sentence. */
  readonly whyNotTheirs: string
  readonly attributes: Readonly<Record<string, string>>
  /** Names of teams; undefined where the claims say nothing of groups, so that nothing changes. */
  readonly teams: readonly string[] | undefined
  /** There were more groups than it told. */
  readonly isOverflowing: boolean
}

const longestSubject = 255
const longestValue = 500
const mostGroups = 1000
const mostTeams = 200

/** Undefined where they name no subject that could be somebody's. */
export function readClaims(provider: IdentityProvider, claims: JsonObject): Said | undefined {
  const subject = claimOf(claims, provider.claims.subject)
  if (typeof subject !== 'string' || !isClean(subject, longestSubject)) return undefined
  const { email, whyNotTheirs } = readEmail(provider, claims)
  const isOverflowing = presetOf(provider.preset).isOverflowing(claims)
  return {
    subject,
    email,
    isEmailTheirs: email !== undefined && whyNotTheirs === '',
    whyNotTheirs,
    attributes: readAttributes(provider, claims),
    teams: isOverflowing ? undefined : readTeams(provider, claims),
    isOverflowing,
  }
}

/** A claim of exactly this name, or where there is none, the member at the end of a path with dots. */
export function claimOf(claims: JsonObject, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let at: unknown = claims
  for (const step of name.split('.')) {
    if (!isObject(at) || !Object.hasOwn(at, step)) return undefined
    at = at[step]
  }
  return at
}

function isClean(text: string, longest: number): boolean {
  return text !== '' && text.length <= longest && !unseen.test(text)
}

function readEmail(provider: IdentityProvider, claims: JsonObject): Pick<Said, 'email' | 'whyNotTheirs'> {
  const parsed = emailSchema.safeParse(claimOf(claims, provider.claims.email))
  if (!parsed.success) return { email: undefined, whyNotTheirs: `${provider.name} tells no e-mail address.` }
  const email = parsed.data
  const domain = email.slice(email.lastIndexOf('@') + 1)
  if (!provider.domains.includes(domain))
    return {
      email,
      whyNotTheirs: `The domain ${domain} is none of those that ${provider.name} may vouch for.`,
    }
  const isVerified = presetOf(provider.preset).isVerified(claimOf(claims, provider.claims.emailVerified))
  return {
    email,
    whyNotTheirs: isVerified ? '' : `${provider.name} does not say that the address ${email} was verified.`,
  }
}

function readAttributes({ claims: names }: IdentityProvider, claims: JsonObject): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, claim] of Object.entries(names.attributes)) {
    const value = claimOf(claims, claim)
    const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value
    if (typeof text === 'string' && isClean(text, longestValue)) found[name] = text
  }
  return found
}

function readTeams(provider: IdentityProvider, claims: JsonObject): string[] | undefined {
  const claim = claimOf(claims, provider.claims.groups)
  const groups = typeof claim === 'string' ? [claim] : claim
  return Array.isArray(groups) ? teamsOf(provider, groups.slice(0, mostGroups)) : undefined
}

/** The teams that these groups are, sorted. */
export function teamsOf(provider: IdentityProvider, groups: readonly unknown[]): string[] {
  const found = new Set<string>()
  for (const group of groups) {
    const team = typeof group === 'string' ? teamOf(provider, group) : undefined
    if (team !== undefined && found.size < mostTeams) found.add(team)
  }
  return [...found].sort()
}

/** Is any group of it a team? */
export function hasTeams({ teams }: Pick<IdentityProvider, 'teams'>): boolean {
  return teams.prefix !== undefined || Object.keys(teams.map).length > 0
}

/** The team that a group of the provider is, as its settings say; undefined where they say none. */
export function teamOf({ preset, teams }: IdentityProvider, written: string): string | undefined {
  const group = presetOf(preset).groupName(written)
  if (Object.hasOwn(teams.map, group)) return teams.map[group]
  if (teams.prefix === undefined || !group.startsWith(teams.prefix)) return undefined
  const parsed = nameSchema.safeParse(group.slice(teams.prefix.length).toLowerCase())
  return parsed.success ? parsed.data : undefined
}
