/** Policies: who may do what under which conditions, besides grants. */
import type { Kysely, Transaction } from 'kysely'
import type { AuditRecord } from '../../audit/index.ts'
import type { Database, Tables } from '../../database/index.ts'
import type { Route } from '../../foundation/route.ts'
import type { Identity } from '../../identity/index.ts'
import type { Target } from '../decide.ts'
import type { TypeAndId } from './cedar.ts'
import {
  asPolicyInput,
  openPolicyChanges,
  putPolicy,
  refusePolicy,
  refuseWhileNamed,
  removePolicy,
} from './changes.ts'
import { type Checked, checkPolicy } from './check.ts'
import { type Names, noOffers, type Offer, type Offers } from './offers.ts'
import type { Policy, PolicyInput } from './policy.ts'
import { policyRoutes } from './routes.ts'
import { readPolicies } from './table.ts'

/** Names there are, or will be once a manifest is applied. Servers as `group/server`. */
export type KnownNames = Readonly<Record<'teams' | 'accounts' | 'groups' | 'servers', ReadonlySet<string>>>

export type Policies = {
  /** The input schema of a tool, as its server wrote it. */
  inputSchema(target: Target): unknown
  /** What is wrong with a text, where these names are known. */
  check(text: string, names: KnownNames): Checked
  /** Throws `access.policy_invalid` for a text that could not be saved now. */
  checkNow(text: string): Promise<void>
  readInputs(database: Kysely<Tables>): Promise<PolicyInput[]>
  put(tx: Transaction<Tables>, policy: PolicyInput): Promise<void>
  remove(tx: Transaction<Tables>, name: string): Promise<void>
  /** For rooms to the right, which know what servers there are. */
  describeTools(offers: Offers): void
  /** Throw while a policy names what is being removed. */
  keepSubject(tx: Kysely<Tables>, subject: string): Promise<void>
  keepServer(tx: Transaction<Tables>, group: string, server: string): Promise<void>
  keepGroup(tx: Transaction<Tables>, group: string): Promise<void>
  readonly routes: readonly Route[]
}

type Parts = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly identity: Pick<Identity, 'readDeclared'>
  readonly refresh: () => Promise<void>
  readonly groups: () => Iterable<string>
  /** The policies that are in force. */
  readonly present: () => readonly Policy[]
}

export function openPolicies(parts: Parts): Policies {
  let offers = noOffers
  const names = async (): Promise<Names> => {
    const { teams, virtualAccounts } = await parts.identity.readDeclared(parts.database.kysely)
    return {
      teams: new Set(teams.map(({ name }) => name)),
      accounts: new Set(virtualAccounts.map(({ name }) => name)),
      groups: new Set(parts.groups()),
      offers: [...offers.servers()],
    }
  }
  const check = async (text: string) => checkPolicy(text, await names())
  const changes = openPolicyChanges({ ...parts, check })
  return {
    inputSchema: target => offers.inputSchema(target),
    check: (text, known) => checkPolicy(text, { ...known, offers: offersOf(known, offers) }),
    async checkNow(text) {
      const { problems, warnings } = await check(text)
      if (problems.length > 0) refusePolicy(problems, warnings)
    },
    readInputs: async database => (await readPolicies(database)).map(asPolicyInput),
    put: async (tx, policy) => void (await putPolicy(tx, policy)),
    remove: removePolicy,
    describeTools(given) {
      offers = given
    },
    ...keepers,
    routes: policyRoutes({ present: parts.present, changes, check, names }),
  }
}

/** What is known of servers, for those there will be. */
function offersOf({ servers }: KnownNames, offers: Offers): Offer[] {
  const known = new Map([...offers.servers()].map(offer => [`${offer.group}/${offer.server}`, offer]))
  return [...servers].map(place => {
    const [group = '', server = ''] = place.split('/')
    return known.get(place) ?? { group, server, tools: undefined }
  })
}

const kinds: Readonly<Record<string, string>> = { user: 'User', team: 'Team', account: 'Account' }

const keepers: Pick<Policies, 'keepSubject' | 'keepServer' | 'keepGroup'> = {
  keepSubject(tx, subject) {
    const [kind = '', id = ''] = subject.split(/:(.*)/s)
    return refuseWhileNamed(tx, subject, uid => uid.type === kinds[kind] && uid.id === id)
  },
  keepServer(tx, group, server) {
    const place = `${group}/${server}`
    const isOf = ({ type, id }: TypeAndId) =>
      type === 'Server' ? id === place : items.includes(type) && id.startsWith(`${place}/`)
    return refuseWhileNamed(tx, `The server ${place}`, isOf)
  },
  keepGroup: (tx, group) =>
    refuseWhileNamed(tx, `The group ${group}`, ({ type, id }) => type === 'Group' && id === group),
}

const items = ['Tool', 'Resource', 'Prompt']
