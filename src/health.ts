import type { Audit } from './audit/index.ts'
import type { Config } from './config/schema.ts'
import type { Database } from './database/index.ts'
import type { Health, HealthCheck } from './http/index.ts'
import type { Catalogue, Register } from './upstreams/index.ts'

type Parts = {
  readonly database: Database
  readonly audit: Audit
  readonly register: Register
  readonly catalogue: Catalogue
  readonly config: Config
}

/** What doctor and /readyz look at. */
export function healthOf(parts: Parts): Health {
  return async () => [await databaseCheck(parts), ...auditChecks(parts.audit), ...serverChecks(parts)]
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
