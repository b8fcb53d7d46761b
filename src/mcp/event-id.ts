/** Ids of the events of a session: which stream, which place in it, and for a call also which request, so that one who asks in vain can be told. */

/** `call` streams answer one request; `unasked` streams carry what a server says by itself. */
export type StreamKind = 'call' | 'unasked'

export type EventPlace = {
  readonly kind: StreamKind
  /** Which store gave it; no two have the same. */
  readonly epoch: string
  readonly stream: number
  readonly sequence: number
  /** The id of the request that a call answers, as raw JSON; undefined where it was too long to carry along. */
  readonly clientId: string | undefined
}

const letters = { call: 'c', unasked: 'u' } as const
const maxClientId = 48
const shape = /^([cu])([0-9a-z]{8})-(\d{1,9})-(\d{1,9})(?:-([\w-]{1,64}))?$/

export function writeEventId({ kind, epoch, stream, sequence, clientId }: EventPlace): string {
  const request =
    kind === 'call' && clientId !== undefined && clientId.length <= maxClientId
      ? `-${Buffer.from(clientId).toString('base64url')}`
      : ''
  return `${letters[kind]}${epoch}-${stream}-${sequence}${request}`
}

/** Undefined for what is no id of ours. A client may have made it up: it names only what its own session holds. */
export function readEventId(text: string): EventPlace | undefined {
  const [, letter, epoch, stream, sequence, request] = shape.exec(text) ?? []
  if (epoch === undefined) return undefined
  return {
    kind: letter === letters.call ? 'call' : 'unasked',
    epoch,
    stream: Number(stream),
    sequence: Number(sequence),
    clientId: request === undefined ? undefined : readClientId(request),
  }
}

function readClientId(encoded: string): string | undefined {
  const text = Buffer.from(encoded, 'base64url').toString('utf8')
  try {
    const id: unknown = JSON.parse(text)
    return typeof id === 'string' || Number.isSafeInteger(id) ? text : undefined
  } catch {
    return undefined
  }
}
