/** Batches (MCP 2025-03-26, basic, "Batching"; no other revision has them): several messages in one POST, each an exchange of its own. */
import { fail } from '../foundation/errors.ts'
import { elements, skipSpace } from '../foundation/json.ts'
import { BatchAnswer, BatchOutlet } from './batch-answer.ts'
import { classify, type Incoming } from './classify.ts'
import type { Exchange } from './exchange.ts'
import { noteId, noteMessage } from './note-message.ts'
import type { SessionParts } from './open-session.ts'
import { ResponseOutlet } from './response-outlet.ts'
import { serveMessage, sessionOf } from './session-door.ts'
import type { Session } from './sessions.ts'
import type { Visit } from './stateless.ts'

const revision = '2025-03-26'
const maxMessages = 50

type Item = { readonly bytes: Buffer; readonly body: unknown; readonly incoming: Incoming }

/** Leads the messages of a batch through the rooms, one after the other. `refuse` answers one that goes wrong. */
export async function serveBatch(
  parts: SessionParts,
  visit: Visit,
  { body, refuse }: { body: readonly unknown[]; refuse(exchange: Exchange, thrown: unknown): void },
): Promise<void> {
  const session = await batchSession(parts, visit)
  const items = itemsOf(visit.bytes, body)
  const { exchange } = visit
  exchange.era = 'session'
  const answer = new BatchAnswer(new ResponseOutlet(exchange.response), items.length)
  for (const item of items) {
    const part = exchange.part(new BatchOutlet(answer, item.incoming.kind === 'request'))
    noteId(part, item.bytes, item.body)
    noteMessage(part, item.incoming)
    const message = { session, incoming: item.incoming }
    await serveMessage(parts, { ...visit, exchange: part, bytes: item.bytes }, message).catch(thrown =>
      refuse(part, thrown),
    )
  }
}

// What was agreed on in the session counts; a header that names another revision means that the client does not know of batches.
async function batchSession(parts: SessionParts, visit: Visit): Promise<Session> {
  const { headers } = visit.exchange.request
  if ((headers['mcp-protocol-version'] ?? revision) !== revision) fail('mcp.batch_refused')
  if (headers['mcp-session-id'] === undefined)
    fail('mcp.batch_refused', { why: 'A batch needs a session, and initialize may not be part of one.' })
  const session = await sessionOf(parts, visit)
  return session.version === revision ? session : fail('mcp.batch_refused')
}

function itemsOf(bytes: Buffer, body: readonly unknown[]): Item[] {
  if (body.length === 0) fail('mcp.invalid_request', { why: 'The batch is empty.' })
  if (body.length > maxMessages)
    fail('mcp.invalid_request', { why: `A batch has at most ${maxMessages} messages.` })
  const ids = new Set<string>()
  const spans = [...elements(bytes, skipSpace(bytes, 0))]
  return spans.map(({ start, end }, i) => {
    const incoming = classify(body[i], {})
    if (incoming.era !== 'session') fail('mcp.batch_refused')
    if (incoming.kind === 'request') checkRequest(incoming, ids)
    return { bytes: bytes.subarray(start, end), body: body[i], incoming }
  })
}

function checkRequest({ id, method }: Extract<Incoming, { kind: 'request' }>, ids: Set<string>): void {
  if (method === 'initialize')
    fail('mcp.invalid_request', { why: 'The method initialize may not be part of a batch.' })
  const key = JSON.stringify(id)
  if (ids.has(key)) fail('mcp.invalid_request', { why: 'Two requests of the batch have the same id.' })
  ids.add(key)
}
