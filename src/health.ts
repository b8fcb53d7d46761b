import type { Audit } from './audit/index.ts'
import type { Config } from './config/schema.ts'
import type { Database } from './database/index.ts'
import type { Health, HealthCheck } from './http/index.ts'
import type { Identity } from './identity/index.ts'
import type { Catalogue, Register } from './upstreams/index.ts'
import type { VaultKeys } from './vault/index.ts'

const soonDays = 3

type Parts = {
  readonly identity: Pick<Identity, 'expiringTokens'>
  readonly database: Database
  readonly audit: Audit
  readonly register: Register
  readonly catalogue: Catalogue
  readonly vaultKeys: VaultKeys
  readonly config: Config
}

/** What doctor and /readyz look at. */
export function healthOf(parts: Parts): Health {
  return async () => {
    const database = await databaseCheck(parts)
    const tokens = database.isWell ? [await tokenCheck(parts)] : []
    return [
      database,
      ...auditChecks(parts.audit),
      keyCheck(parts.vaultKeys),
      ...tokens,
      ...serverChecks(parts),
    ]
  }
}

async function databaseCheck({ database, config }: Parts): Promise<HealthCheck> {
  const name = 'database'
  try {
    await database.revision()
    return {
      name,
      isWell: true,
      isRequired: true,
      found: database.dialect === 'sqlite' ? `SQLite in ${config.dataDir}` : 'PostgreSQL answers',
    }
  } catch {
    return {
      name,
      isWell: false,
      isRequired: true,
      found: 'The database does not answer.',
      fix: 'Check that it runs and that DATABASE_URL is right.',
    }
  }
}

/** Tokens that are about to end without a successor: whatever uses them stops working. */
async function tokenCheck({ identity }: Parts): Promise<HealthCheck> {
  const [first, ...others] = await identity.expiringTokens(soonDays)
  const common = { name: 'tokens', isRequired: false }
  if (first === undefined)
    return { ...common, isWell: true, found: `None expires within ${soonDays} days without a successor.` }
  const more = others.length === 0 ? '' : `, and ${others.length} more within ${soonDays} days`
  return {
    ...common,
    isWell: false,
    found: `A token of ${first.subject} expires at ${new Date(first.expiresAt).toISOString()}${more}.`,
    fix: `gatehouse token rotate ${first.id}, or see: gatehouse token list --expiring ${soonDays}d`,
  }
}

/** Not required: only what needs a secret does not work without them. */
function keyCheck(keys: VaultKeys): HealthCheck {
  const problem = keys.problem()
  const common = { name: 'vault keys', isRequired: false }
  if (problem === undefined) return { ...common, isWell: true, found: keys.described() }
  return { ...common, isWell: false, found: problem, fix: 'See the keys with: gatehouse keys' }
}

function auditChecks(audit: Audit): HealthCheck[] {
  const { writing, shipping, waitingBytes } = audit.health()
  return [
    writing === undefined
      ? { name: 'audit spool', isWell: true, isRequired: true, found: 'Events are written.' }
      : {
          name: 'audit spool',
          isWell: false,
          isRequired: true,
          found: writing,
          fix: 'Free disk space, or repair the data directory.',
        },
    shipping === undefined
      ? {
          name: 'audit shipping',
          isWell: true,
          isRequired: false,
          found: `${waitingBytes} bytes wait for the database.`,
        }
      : {
          name: 'audit shipping',
          isWell: false,
          isRequired: false,
          found: shipping,
          fix: 'Check the database; nothing is lost, the spool keeps it.',
        },
  ]
}

function serverChecks({ register, catalogue }: Parts): HealthCheck[] {
  return [...register.list()].map(server => {
    const name = `server ${server.group}/${server.name}`
    const facts = catalogue.facts(server.id)
    if (facts === undefined) {
      const fix = `gatehouse server test ${server.group}/${server.name}`
      return { name, isWell: false, isRequired: false, found: 'Its catalogue could not be read yet.', fix }
    }
    const tools = catalogue.items(server.id).filter(({ kind }) => kind === 'tool').length
    return { name, isWell: true, isRequired: false, found: [`${tools} tools`, ...facts.warnings].join('; ') }
  })
}
