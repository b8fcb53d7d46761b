/** Who may import whom, as a table. docs/architecture.md says why. */

const infrastructure = ['foundation', 'config', 'database', 'telemetry', 'egress']

/** The rooms in their order: each may know those before it. */
const rooms = ['audit', 'identity', 'access', 'upstreams', 'vault', 'servers']

/** The ways in. They lead requests through the rooms and know nothing of each other. */
const planes = ['mcp', 'http', 'oauth', 'scim', 'sign-in', 'manifest']

/** The areas that each area of src may import, besides itself. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  foundation: [],
  config: ['foundation'],
  database: ['foundation', 'config'],
  telemetry: ['foundation', 'config'],
  egress: ['foundation'],
  ...Object.fromEntries(rooms.map((room, at) => [room, [...infrastructure, ...rooms.slice(0, at)]])),
  ...Object.fromEntries(planes.map(plane => [plane, [...infrastructure, ...rooms]])),
  /** The command line starts gateways, so it is the one area above the wiring. */
  cli: [...infrastructure, ...rooms, ...planes, 'wiring'],
  wiring: [...infrastructure, ...rooms, ...planes],
}

/** Areas with one door, `index.ts`. */
export const withDoor: readonly string[] = ['database', 'egress', ...rooms, ...planes]

/** Of these, those left of the planes know only the shape of the configuration, never its reader. */
export const withoutConfiguration: readonly string[] = [
  'database',
  'telemetry',
  'egress',
  ...rooms,
  ...planes,
]

/** The area of a file below src; files in src itself are the wiring. Undefined elsewhere. */
export function areaOf(path: string): string | undefined {
  const [top, area, ...rest] = path.split('/')
  if (top !== 'src' || area === undefined) return undefined
  return rest.length === 0 ? 'wiring' : area
}

/** Every package and every door of Node to the outside, with the files that may import it (types are free). */
export const packages: Readonly<Record<string, readonly string[]>> = {
  // Ways to other machines and other processes: adapter files, and nothing else.
  pg: ['src/database/postgres-pool.ts'],
  'node:child_process': ['src/upstreams/transports/spawn-alone.ts'],
  'node:sqlite': [
    'src/database/sqlite.ts',
    'src/database/sqlite-append.ts',
    // The operating system's lock on a file, which Node offers through SQLite only.
    'src/audit/lock.ts',
    'src/data-directory.ts',
    'src/cli/backup.ts',
  ],
  'node:worker_threads': ['src/audit/'],
  'node:http': ['src/listen.ts', 'src/egress/guarded-fetch.ts', 'src/cli/local-fetch.ts'],
  'node:net': [
    'src/foundation/egress.ts',
    'src/foundation/guards.ts',
    'src/foundation/networks.ts',
    'src/egress/open-socket.ts',
    'src/egress/tunnel.ts',
    'src/data-directory.ts',
    // The demo brings an HTTP server of its own to a free port of this machine.
    'src/cli/demo-http.ts',
    'src/cli/demo-loopback.ts',
  ],
  'node:dns/promises': ['src/egress/resolve-host.ts'],
  'node:dns': ['src/egress/open-socket.ts'],
  'node:tls': ['src/egress/'],
  // To load a package a second time, with a memory of its own.
  'node:module': ['src/access/policies/cedar.ts'],
  // Libraries: each has its place.
  '@cedar-policy/cedar-wasm/nodejs': ['src/access/policies/cedar.ts'],
  '@simplewebauthn/server': ['src/identity/passkeys/'],
  '@simplewebauthn/server/helpers': ['src/identity/passkeys/'],
  jose: ['src/identity/', 'src/vault/oauth/'],
  'oidc-provider': ['src/oauth/provider.ts'],
  'oidc-provider/lib/helpers/grants.js': ['src/oauth/provider.ts'],
  'openid-client': ['src/identity/sign-in/'],
  kysely: ['src/database/'],
  'kysely/migration': ['src/database/'],
  pino: ['src/foundation/log.ts'],
  hono: ['src/http/'],
  '@hono/node-server': ['src/http/'],
  commander: ['src/cli/'],
  '@modelcontextprotocol/client': ['src/cli/'],
  yaml: ['src/config/', 'src/manifest/'],
  scimmy: ['src/scim/'],
  zod: ['src/'],
}

/** Parts of Node that reach nobody. */
export const harmless = [
  'node:async_hooks',
  'node:buffer',
  'node:crypto',
  'node:events',
  'node:fs',
  'node:fs/promises',
  'node:os',
  'node:path',
  'node:perf_hooks',
  'node:stream',
  'node:string_decoder',
  'node:timers/promises',
  'node:url',
  'node:util',
  'node:zlib',
]
