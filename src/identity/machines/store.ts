/** What the authorization server asks about machines: which account it is, and what its proof is worth. */
import type { JsonObject } from '../../foundation/json.ts'
import type { Known } from '../identify.ts'
import { keyedHash } from '../keyed-hash.ts'
import { refused, whyAccountRefused, whyUserRefused } from '../load.ts'
import type { Ground } from '../oauth/ground.ts'
import type { Rejection } from '../principal.ts'
import type { Admitted, Via } from '../providers/admit.ts'
import type { Asserted, Assertions } from '../providers/bearer/assertions.ts'
import { claimOf } from '../providers/claims.ts'
import type { IdentityProvider } from '../providers/provider.ts'
import type { Room } from '../room.ts'
import { type Account, accountByName, userById } from '../table.ts'
import {
  accountOfClient,
  type Credentials,
  credentialsOf,
  keyMarkOf,
  markOf,
  type Workload,
} from './credentials.ts'
import { secretByHash, updateSecret } from './machine-table.ts'

/** A virtual account whose tokens are taken at the moment. */
export type Machine = {
  readonly id: string
  readonly name: string
  readonly credentials: Credentials
}

/** Somebody a token may be given for, and what it hangs on. */
export type Granted<Who> = {
  readonly who: Who
  readonly ground: Ground
  /** Milliseconds since 1970: when what was brought expires. */
  readonly until: number
  readonly claims: JsonObject
}

export type Person = { readonly userId: string; readonly name: string }

export type Bringing = {
  readonly clientId: string
  readonly requestId: string
  /** Throws where the claims are for something that is not to be had. */
  judge(claims: JsonObject): void
}

export type Machines = {
  /** By the client_id; undefined for what is none, and for one that is disabled. */
  find(clientId: string): Promise<Machine | undefined>
  /** The id of the secret, if it is one of the account's that are good. */
  secret(machine: Machine, secret: string): Promise<string | undefined>
  /** What a token hangs on that was asked for with this key. */
  keyGround(machine: Machine, kid: unknown): Ground
  /** The account itself, by a JWT of one of the workloads that may be it. */
  workload(machine: Machine | undefined, assertion: string): Promise<Granted<Machine> | Rejection>
  /** The person whom an ID-JAG lets this client act for. Whoever asks judges the rest of it before anybody is let in. */
  idJag(assertion: string, by: Bringing): Promise<Granted<Person> | Rejection>
  /** A token that is good at the gateway by itself, of whatever kind. */
  token(token: string, key: string | undefined): Promise<Known | Rejection>
  /** What a JWT says it is; nothing of it is checked. */
  typeOf(assertion: string): Promise<string | undefined>
  /** May providers let clients act for their people? */
  takesIdJags(): boolean
  /** Was this text never seen within that time? Of all who ask, in whatever process, one hears yes. */
  once(kind: string, text: string, lifetime: { seconds: number }): Promise<boolean>
}

export type MachineParts = {
  readonly room: Room
  readonly assertions: Assertions
  /** The issuer that the gateway is, and where tokens are asked for. */
  audiences(): { readonly issuer: string; readonly tokenEndpoint: string }
  admit(provider: IdentityProvider, claims: JsonObject, via: Via): Promise<Admitted>
} & Pick<Machines, 'token' | 'takesIdJags' | 'once'>

export function openMachines(parts: MachineParts): Machines {
  const { room, assertions, token, takesIdJags, once } = parts
  const { kysely } = room.database
  return {
    async find(clientId) {
      const name = accountOfClient(clientId)
      const account = name === undefined ? undefined : await accountByName(kysely, name)
      return account && whyAccountRefused(account) === undefined ? machineOf(account) : undefined
    },
    secret: (machine, secret) => secretOf(room, machine, secret),
    keyGround: ({ credentials }, kid) => ({ by: 'key', mark: keyMarkOf(credentials, kid) }),
    workload: (machine, assertion) => workload(parts, machine, assertion),
    idJag: (assertion, by) => idJag(parts, assertion, by),
    typeOf: async assertion => (await assertions.read(assertion))?.typ,
    token,
    takesIdJags,
    once,
  }
}

function machineOf({ id, name, credentials_json }: Account): Machine {
  return { id, name, credentials: credentialsOf(credentials_json) }
}

async function secretOf(
  { database: { kysely }, pepper, clock }: Room,
  { id }: Machine,
  secret: string,
): Promise<string | undefined> {
  const known = await secretByHash(kysely, keyedHash(pepper, secret))
  const now = clock.now()
  if (known === undefined || known.account_id !== id || known.expires_at <= now) return undefined
  await updateSecret(kysely, known.id, { last_used_at: now })
  return known.id
}

const nobody = refused('No virtual account takes this workload.')

async function workload(
  { assertions, audiences }: MachineParts,
  machine: Machine | undefined,
  assertion: string,
): Promise<Granted<Machine> | Rejection> {
  const said = await assertions.read(assertion)
  if (machine === undefined || said === undefined) return nobody
  const named = machine.credentials.workloads.find(each => isOf(each, said))
  if (named === undefined) return nobody
  const { issuer, tokenEndpoint } = audiences()
  const own = named.audience === undefined ? [] : [named.audience]
  const asserted = await assertions.check(assertion, {
    as: 'workload',
    audiences: [issuer, tokenEndpoint, ...own],
    mayRepeat: named.mayRepeat,
  })
  if ('rejected' in asserted) return asserted
  const ground = { by: 'workload', mark: markOf(named), provider: asserted.provider.id } as const
  return { who: machine, ground, ...endOf(asserted) }
}

function isOf(
  { issuer, subject, claims }: Workload,
  said: { readonly issuer: string; readonly payload: JsonObject },
): boolean {
  const isIt = said.issuer === issuer && said.payload.sub === subject
  return isIt && Object.entries(claims).every(([name, value]) => claimOf(said.payload, name) === value)
}

const endOf = ({ expiresAt, claims }: Asserted) => ({ until: expiresAt, claims })

async function idJag(
  { room, assertions, audiences, admit }: MachineParts,
  assertion: string,
  { clientId, requestId, judge }: Bringing,
): Promise<Granted<Person> | Rejection> {
  const said = await assertions.read(assertion)
  if (said?.payload.client_id !== clientId) return refused('The ID-JAG is for another client.')
  const asserted = await assertions.check(assertion, { as: 'idJag', audiences: [audiences().issuer] })
  if ('rejected' in asserted) return asserted
  const { provider, claims } = asserted
  judge(claims)
  const admitted = await admit(provider, claims, { via: 'bearer', requestId })
  if ('rejected' in admitted) return admitted
  const user = await userById(room.database.kysely, admitted.userId)
  if (user === undefined) return refused('The ID-JAG stands for nobody.')
  const why = whyUserRefused(user)
  if (why !== undefined) return refused(why)
  const ground = { by: 'provider', id: provider.id, use: 'idJag' } as const
  return { who: { userId: user.id, name: user.email }, ground, ...endOf(asserted) }
}
