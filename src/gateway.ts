/** The only wiring: every room and plane, in the order of the floor plan. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { openAccess, usageRoutes } from './access/index.ts'
import { openAudit } from './audit/index.ts'
import type { Config } from './config/schema.ts'
import { openDatabase } from './database/index.ts'
import { dispatch } from './dispatch.ts'
import { takeWayOut } from './egress/index.ts'
import { followRevision } from './follow-revision.ts'
import { openAddresses } from './foundation/addresses.ts'
import { openAnnouncements } from './foundation/announcements.ts'
import { openBrowsers } from './foundation/browsers.ts'
import { systemClock } from './foundation/clock.ts'
import { openCookies } from './foundation/cookies.ts'
import { openBeginningLimit, openFailureLimit } from './foundation/failure-limit.ts'
import { compileGuards } from './foundation/guards.ts'
import { openHandles } from './foundation/handles.ts'
import type { Log } from './foundation/log.ts'
import { openMasterKey } from './foundation/master-key.ts'
import { version } from './foundation/version.ts'
import { healthOf } from './health.ts'
import { answerProblem, type Over, openHttp } from './http/index.ts'
import { type Claim, openIdentity } from './identity/index.ts'
import { openManifest, simulateRoutes } from './manifest/index.ts'
import { methods, openMcp } from './mcp/index.ts'
import { documentFetch, openOAuth } from './oauth/index.ts'
import { openScim } from './scim/index.ts'
import { explainRoutes, openServers } from './servers/index.ts'
import { openSignInPages } from './sign-in/index.ts'
import { openMetrics } from './telemetry/metrics.ts'
import {
  Connections,
  catalogueRoutes,
  openCatalogue,
  openCrossings,
  openProcesses,
  openRegister,
  probe,
  reviewRoutes,
  searchPath,
  serverRoutes,
} from './upstreams/index.ts'
import { openSeals, openVault, openVaultKeys } from './vault/index.ts'

export type Gateway = {
  /** Handles one HTTP request that came over TCP or the local socket. */
  handle(request: IncomingMessage, response: ServerResponse, over: Over): void
  /** To be told where the socket listens, once it does. */
  listening(url: string): void
  hasAdmin(): Promise<boolean>
  openClaim(): Promise<Claim | undefined>
  /** Tells open streams to end. */
  endStreams(): void
  /** Stops upstream processes, flushes the audit, closes the database. */
  close(): Promise<void>
}

type Environment = Readonly<Record<string, string | undefined>>

/** Builds a gateway that is ready to handle requests; it opens no socket of its own. Throws what keeps it from starting. */
export async function createGateway(config: Config, log: Log, environment: Environment): Promise<Gateway> {
  const { dataDir, limits } = config
  takeWayOut(config.egress)
  const clock = systemClock
  const announcements = openAnnouncements()
  const addresses = openAddresses(config)
  const masterKey = openMasterKey(dataDir)
  const database = await openDatabase(config)

  const audit = await openAudit({ database, dataDir, log, sync: config.audit.sync })
  const base = { database, masterKey, audit, announcements, addresses, clock, log }
  const vaultKeys = await openVaultKeys({ ...base, environment, settings: config.vault })
  const sealing = openSeals({ masterKey, keks: vaultKeys.keks })
  const { seals, sealSecret } = sealing
  const identity = await openIdentity({ ...base, seals, sealSecret })
  const access = await openAccess({ database, audit, announcements, identity, log })
  const register = await openRegister({
    database,
    access,
    audit,
    announcements,
    sealing,
    searchPath: searchPath(environment),
  })
  const handles = openHandles(masterKey, clock)
  const vault = openVault({ ...base, seals, identity, access, register, handles })
  const processes = openProcesses({
    maximum: limits.processes,
    dataDir,
    lineBytes: limits.messageBytes,
    environment,
    log,
  })
  const connections = new Connections({
    announcements,
    clock,
    processes,
    limits,
    searchPath: searchPath(environment),
  })
  const equip = vault.equip
  const catalogue = await openCatalogue({
    database,
    audit,
    register,
    connections,
    announcements,
    clock,
    log,
    limits,
    equip,
    equipBrought: vault.equipBrought,
  })

  const servers = await openServers({ database, access, audit, announcements, register, catalogue })

  const crossings = openCrossings({
    connections,
    handles,
    announcements,
    clock,
    limits,
    mirroredArguments: catalogue.mirroredArguments,
  })

  const metrics = openMetrics()
  const guards = compileGuards(config)
  const failures = openFailureLimit(clock)
  const mcp = openMcp({
    access,
    addresses,
    announcements,
    audit,
    catalogue,
    clock,
    config,
    connections,
    crossings,
    failures,
    guards,
    handles,
    identity,
    log,
    metrics,
    register,
    servers,
    vault,
  })
  const { authSchema } = sealing
  const manifestParts = { database, audit, identity, access, register, servers, approvals: catalogue }
  const http = openHttp({
    routes: [
      ...identity.routes,
      ...access.routes,
      ...serverRoutes({ register, access, authSchema, catalogue }),
      ...catalogueRoutes({
        register,
        catalogue,
        access,
        authSchema,
        equip,
        composedTools: servers.tools,
        probe: to => probe({ connections, clock, limits }, to),
      }),
      ...servers.routes,
      ...explainRoutes({ access, identity, register, catalogue, servers }),
      ...vault.routes,
      ...reviewRoutes({ database, audit, register, catalogue, access }),
      ...openManifest(manifestParts).routes,
      ...simulateRoutes({ ...manifestParts, catalogue, methods }),
      ...vaultKeys.routes,
      ...audit.routes,
      ...usageRoutes({ audit, access, identity }),
    ],
    identify: identity.identify,
    sessionOf: identity.sessionOf,
    addresses,
    operator: identity.operator,
    audit,
    config,
    log,
    version,
    metrics: () => metrics.text(),
    health: healthOf({ database, audit, vaultKeys, identity, register, catalogue, config }),
    failures,
    clock,
  })
  const scim = openScim({
    identity,
    addresses,
    guards,
    failures,
    audit,
    clock,
    log,
    requestBytes: limits.requestBytes,
  })
  const signIn = openSignInPages({
    identity,
    addresses,
    browsers: openBrowsers(openCookies(addresses), masterKey.derive('form tokens')),
    guards,
    failures,
    beginnings: openBeginningLimit(clock),
    connect: {
      ...vault.connect,
      ...vault,
      find: register.find,
      answersFor: vault.answersFor,
      mayUse: (caller, { group, name, policy }) =>
        access.clear(caller, 'server.use', { group, server: name, policy }).allowed,
    },
    clock,
    log,
  })
  const oauth = openOAuth({
    addresses,
    announcements,
    audit,
    clock,
    config,
    csrfKey: masterKey.derive('oauth consent'),
    nonceKey: masterKey.derive('oauth dpop nonces'),
    fetchDocument: documentFetch(config.oauth.clientMetadataPrivateHosts),
    failures,
    guards,
    identity,
    log,
    settings: config.oauth,
    usable: servers.usable,
    mustConnect: async (person, { group, name }) => {
      const upstream = register.find(group, name)
      return upstream !== undefined && (await vault.connect.isConnected(upstream, person.id)) === false
    },
    answerProblem,
  })
  metrics.gauges({
    sessions: mcp.sessions,
    pooledSessions: () => crossings.counts().sessions,
    parkedCalls: () => crossings.counts().parked,
    streams: mcp.streams,
    processes: () => connections.running(),
    auditWaiting: () => audit.health().waitingBytes,
  })
  const stopFollowing = followRevision({
    database,
    log,
    refresh: () =>
      Promise.all([
        identity.refresh(),
        access.refresh(),
        register.refresh().then(() => Promise.all([catalogue.refreshApprovals(), vault.refresh()])),
        servers.refresh(),
        vaultKeys.refresh(),
      ]),
    distrust: identity.refresh,
  })

  return {
    handle: dispatch({
      mcp: mcp.handle,
      http: http.handle,
      others: [signIn, oauth, scim],
      answered: metrics.httpRequest,
    }),
    listening: addresses.listening,
    hasAdmin: async () =>
      (await identity.readDeclared(database.kysely)).users.some(({ role }) => role === 'admin'),
    openClaim: identity.openClaim,
    endStreams: mcp.endStreams,
    async close() {
      stopFollowing()
      await mcp.close()
      await crossings.close()
      // Before the catalogue, which would wait for servers that do not answer.
      await connections.close()
      await catalogue.close()
      await identity.close()
      await vaultKeys.close()
      await audit.close()
      await database.close()
    },
  }
}
