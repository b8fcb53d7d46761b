/**
 * A model that agents can be pointed at: it has no mind, it calls the tools of a script one after another and reads what comes back. What
 * it was offered and what it got shows what the agent's MCP client did.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import type { ServerKind } from '../servers.ts'
import { dialects, type Offer } from './dialects.ts'

export type ScriptedModel = {
  /** `http://127.0.0.1:<port>`; every dialect is below it. */
  readonly url: string
  /** The tools of a server that were offered to the model. */
  offersOf(server: ServerKind): readonly Offer[]
  /** What the server's tool answered. */
  answerOf(server: ServerKind): string | null
  stop(): Promise<void>
}

/** `isOf` tells whose tool it is. */
export async function startScriptedModel(
  script: readonly ServerKind[],
  isOf: IsOf = byPrefix,
): Promise<ScriptedModel> {
  const offered = new Map<string, Offer>()
  const answers = new Map<string, string>()

  /** The first step that is offered and has no answer yet. */
  function next(offers: readonly Offer[], answered: ReadonlyMap<string, string>) {
    for (const server of script) {
      const offer = offers.find(one => isOf(one, server) && isCall(one, server))
      if (offer === undefined) continue
      const answer = answered.get(idOf(server)) ?? answered.get(offer.name)
      if (answer === undefined) return { id: idOf(server), offer, arguments: server.call.arguments }
      answers.set(server.name, answer)
    }
    return undefined
  }

  const server = createServer(async (request, response) => {
    const dialect = dialects.find(one => request.method === 'POST' && one.path.test(request.url ?? ''))
    if (dialect === undefined) return void response.writeHead(request.method === 'HEAD' ? 200 : 404).end()
    const asked = dialect.read(await json(request))
    for (const one of asked.offers) offered.set(`${one.namespace ?? ''} ${one.name}`, one)
    const isStream = asked.isStream || /stream/i.test(request.url ?? '')
    response.setHeader('content-type', isStream ? 'text/event-stream' : 'application/json')
    response.end(dialect.say(next(asked.offers, asked.answers), isStream))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    offersOf: one => [...offered.values()].filter(offer => isOf(offer, one)),
    answerOf: one => answers.get(one.name) ?? null,
    async stop() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')
const idOf = (server: ServerKind) => `call_${plain(server.name)}`

type IsOf = (offer: Offer, server: ServerKind) => boolean

/** Agents put the server's name before the tool's, each in its own way. */
const byPrefix: IsOf = ({ namespace = '', name }, server) =>
  `_${plain(`${namespace}_${name}`)}`.includes(`_${plain(server.name)}_`)

/** For agents that do not, and are given one server at a time. */
export const byName: IsOf = (offer, server) => plain(offer.name) === plain(server.call.tool)

/** The tool of the script, of a server whose it is. */
export function isCall(offer: Offer, server: ServerKind): boolean {
  return plain(offer.name).endsWith(plain(server.call.tool))
}
