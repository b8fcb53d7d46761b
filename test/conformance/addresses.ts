/** The gateway with everything the cells are run at: the servers, virtual servers of each and another one, and people who may use one kind. */
import { apiOf, tokenFor } from '../fixtures/api.ts'
import { type Manifest, startGateway } from '../fixtures/gateway.ts'
import { type Served, startEverything } from '../fixtures/servers.ts'
import type { AddressKind, Cell } from './cells.ts'
import { startFront } from './front.ts'

type Stop = () => Promise<unknown>

const root = 'root@example.com'
/** Who may use what the cells of a kind need, and nothing else. */
const people: Readonly<Record<AddressKind, string>> = {
  server: 'ana@example.com',
  virtual: 'bea@example.com',
  everything: 'cem@example.com',
}
/** The other server: its tools, resources and prompts have names of their own. */
const other = 'other'

/** Gives the URL of a cell. What has to be stopped is put on the list as soon as it runs. */
export async function startAddresses(
  servers: ReadonlyMap<string, Served>,
  toStop: Stop[],
): Promise<(cell: Cell) => string> {
  const second = await startEverything('streamable-http')
  toStop.push(second.stop)
  const gateway = await startGateway({ manifest: manifest(servers, second), user: root })
  toStop.push(gateway.stop)
  const api = apiOf(gateway.url, gateway.token)
  for (const name of [...servers.keys(), other]) await api(`POST /servers/lab/${name}/test`)
  for (const name of servers.keys()) {
    const sources = [{ server: `lab/${name}` }, { server: `lab/${other}` }]
    await api(`PUT /virtual-servers/mixed/${name}/draft`, { sources })
    await api(`POST /virtual-servers/mixed/${name}/publish`)
  }
  const urls = new Map<AddressKind, string>()
  for (const kind of ['server', 'virtual', 'everything'] as const) {
    const { token } = await tokenFor(api, `user:${people[kind]}`)
    const front = await startFront({ url: gateway.url, token })
    toStop.push(front.close)
    urls.set(kind, front.url)
  }
  return ({ at, speaks }) => `${urls.get(at)}${pathOf(at, speaks)}`
}

function pathOf(kind: AddressKind, name: string): string {
  if (kind === 'everything') return '/mcp'
  return `/mcp/${kind === 'virtual' ? 'mixed' : 'lab'}/${name}/server`
}

function manifest(servers: ReadonlyMap<string, Served>, second: Served): Manifest {
  const all = [...servers, [other, second] as const]
  return {
    users: [
      { email: root, role: 'admin' },
      ...Object.values(people).map(email => ({ email, role: 'member' })),
    ],
    groups: [
      {
        name: 'lab',
        access: [
          { subject: `user:${people.server}` },
          // Of servers that offer the same there can be only one behind one address.
          {
            subject: `user:${people.everything}`,
            servers: [...servers.keys(), other].filter(name => name === 'both' || name === other),
          },
        ],
      },
      { name: 'mixed', access: [{ subject: `user:${people.virtual}` }] },
    ],
    servers: all.map(([name, { transport }]) => ({ group: 'lab', name, transport })),
  }
}
