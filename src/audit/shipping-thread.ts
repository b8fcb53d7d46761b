/** The thread that ships, started and told by `Shipper`. */
import { parentPort, workerData } from 'node:worker_threads'
import { openAppender } from '../database/index.ts'
import type { Log } from '../foundation/log.ts'
import { Shipping } from './ship.ts'
import type { Answer, Order, Place } from './shipper.ts'
import { auditTarget } from './table.ts'

const port = parentPort
if (port === null) throw new Error('This is a thread of the audit, not a program.')

const answer = (message: Answer) => port.postMessage(message)
const { database, ...place }: Place = workerData
let written = 0

const shipping = new Shipping({
  ...place,
  open: () => openAppender(database, auditTarget),
  report: progress => answer({ is: 'progress', written, ...progress }),
  log: { debug: said('debug'), info: said('info'), warn: said('warn'), error: said('error') },
})

port.on('message', async (order: Order) => {
  written = order.written
  shipping.tell(order.files)
  if (order.adopt) shipping.adopt()
  if (order.want === 'soon') shipping.notice()
  else if (order.want === 'flush')
    answer({ is: 'done', id: order.id, problem: await problemOf(shipping.flush()) })
  else await shipping.close().finally(() => port.close())
})

function problemOf(work: Promise<void>): Promise<string | undefined> {
  return work.then(() => undefined, messageOf)
}

/** The gateway's log, reached by message. */
function said(level: keyof Log): (bindings: unknown, text?: string) => void {
  return (bindings, text) => {
    if (typeof bindings === 'string') answer({ is: 'log', level, bindings: {}, text: bindings })
    else answer({ is: 'log', level, bindings: copyable(bindings), text: text ?? '' })
  }
}

/** Drivers put things into their errors that cannot go from thread to thread. */
function copyable(bindings: unknown): object {
  const entries = Object.entries(bindings ?? {})
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value instanceof Error ? plain(value) : value]),
  )
}

function plain({ message, stack = '' }: Error): Error {
  return Object.assign(new Error(message), { stack })
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
