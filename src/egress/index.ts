/** The one way out to other machines: every connection is checked against the egress rule when it is made. */
export { type FetchRules, guardedFetch } from './guarded-fetch.ts'
export { type Address, openSocket } from './open-socket.ts'
export { resolveHost } from './resolve-host.ts'
export { type EgressSettings, proxyFor, takeWayOut } from './way-out.ts'
