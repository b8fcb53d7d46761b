/** What a manager sees of the tools of a server, and what they decide about them. */
import type { Transaction } from 'kysely'
import { type AuditRecord, changeEvent } from '../audit/index.ts'
import type { Database, Tables } from '../database/index.ts'
import { fail } from '../foundation/errors.ts'
import type { Catalogue } from './catalogue.ts'
import type { By, ServerPlace } from './changes.ts'
import { type Finding, graveFindings, type Neighbours } from './definition-scan.ts'
import { type Approved, type Pin, type PinnedText, readPins, writePins } from './pins-table.ts'
import type { Register } from './register.ts'

export type ReviewParts = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly register: Pick<Register, 'managed'>
  readonly catalogue: Pick<Catalogue, 'neighbours' | 'saveApprovals' | 'refreshApprovals'>
}

export type Approval = {
  /** Names, or all that are held. */
  readonly tools: readonly string[] | 'all'
  /** By name: the hash of the definition that was looked at. */
  readonly hashes: Readonly<Record<string, string>>
  /** Whoever approves knows what was found. */
  readonly despiteFindings: boolean
}

/** Approves definitions exactly as they were looked at. Throws `http.conflict` where one is another by now. */
export async function approveTools(
  parts: ReviewParts,
  by: By,
  { place, approval }: { place: ServerPlace; approval: Approval },
): Promise<Pin[]> {
  return decide(parts, by, { place, action: 'approve_tools' }, pins => {
    const at = Date.now()
    const { id } = parts.register.managed(by.caller, place.group, place.name)
    const neighbours = parts.catalogue.neighbours(id)
    return chosen(pins, approval).map(pin => {
      const wanted = lookedAt(pin, approval)
      const { name } = pin
      const findings = findingsAgainst(pin, wanted, neighbours)
      if (findings.length > 0 && !approval.despiteFindings) refuseFindings(name, findings)
      const approved: Approved = { hash: wanted.hash, text: wanted.text, by: by.caller.name, at }
      return { name, approved }
    })
  })
}

/** Would approving the tool as it is now take that its findings are known? */
export function takesDespite(
  catalogue: Pick<Catalogue, 'pins' | 'neighbours'>,
  serverId: string,
  name: string,
): boolean {
  const pin = catalogue.pins(serverId).get(name)
  const wanted = pin?.held?.waiting ?? pin?.approved
  if (pin === undefined || wanted === undefined) return false
  return findingsAgainst(pin, wanted, catalogue.neighbours(serverId)).length > 0
}

function findingsAgainst({ name, approved }: Pin, wanted: PinnedText, neighbours: Neighbours): Finding[] {
  if (approved?.hash === wanted.hash) return []
  const definition: unknown = JSON.parse(wanted.text)
  return graveFindings({ name, text: wanted.text, definition }, neighbours)
}

/** Holds tools until somebody approves them again. */
export async function holdTools(
  parts: ReviewParts,
  by: By,
  { place, tools }: { place: ServerPlace; tools: readonly string[] },
): Promise<Pin[]> {
  return decide(parts, by, { place, action: 'hold_tools' }, pins => {
    const at = Date.now()
    return tools.map(tool => {
      const { name, approved, held } = pins.get(tool) ?? missing(tool)
      return { name, approved, held: { reason: 'hand', at, by: by.caller.name, waiting: held?.waiting } }
    })
  })
}

async function decide(
  { database, audit, register, catalogue }: ReviewParts,
  by: By,
  { place, action }: { place: ServerPlace; action: string },
  work: (pins: ReadonlyMap<string, Pin>) => Pin[],
): Promise<Pin[]> {
  const { id } = register.managed(by.caller, place.group, place.name)
  await catalogue.saveApprovals()
  const changed = await database.change(async (tx: Transaction<Tables>) => {
    const pins = work(new Map((await readPins(tx, id)).map(pin => [pin.name, pin])))
    await writePins(tx, id, pins)
    const detail = pins.map(({ name, approved }) => ({ tool: name, hash: approved?.hash }))
    const target = `${place.group}/${place.name}`
    const event = { action: `upstreams.${action}`, target, detail: { tools: detail } }
    await audit.recorded(changeEvent(by.caller, by.requestId, event))
    return pins
  })
  await catalogue.refreshApprovals()
  return changed
}

function chosen(pins: ReadonlyMap<string, Pin>, { tools, hashes }: Approval): Pin[] {
  if (tools !== 'all') return tools.map(name => pins.get(name) ?? missing(name))
  const held = [...pins.values()].filter(pin => pin.held !== undefined)
  const unseen = held.find(({ name }) => !Object.hasOwn(hashes, name))
  if (unseen === undefined) return held
  return fail('http.conflict', {
    why: `The tool ${unseen.name} is held too, and was not when you looked.`,
    fix: lookAgain,
  })
}

const lookAgain = 'Look at the tools again with: gatehouse tools review <group/server>.'

function lookedAt({ name, approved, held }: Pin, { hashes }: Approval): PinnedText {
  const hash = Object.hasOwn(hashes, name) ? hashes[name] : undefined
  if (hash === undefined)
    return fail('http.bad_request', {
      why: `The hash of ${name} is missing: it says which definition you mean.`,
      fix: lookAgain,
    })
  const wanted = [held?.waiting, approved].find(one => one?.hash === hash)
  return (
    wanted ??
    fail('http.conflict', { why: `The definition of ${name} is another than you looked at.`, fix: lookAgain })
  )
}

function missing(name: string): never {
  return fail('http.not_found', {
    why: `The server has no tool ${JSON.stringify(name.slice(0, 200))}.`,
    fix: lookAgain,
  })
}

function refuseFindings(name: string, findings: readonly { sentence: string }[]): never {
  return fail('http.bad_request', {
    why: `The definition of ${name} is not what it looks like: ${findings.map(({ sentence }) => sentence).join(' ')}`,
    fix: 'If you want it all the same, approve it with despiteFindings (gatehouse tools approve --despite-findings).',
  })
}
