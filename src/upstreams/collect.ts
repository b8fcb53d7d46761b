import type { JsonObject } from '../foundation/json.ts'
import type { Flight, Sink } from './sink.ts'

export type Collected = { readonly bytes: Buffer; readonly body: JsonObject; readonly status: number }

/** Sends a request whose whole answer the gateway itself wants. Notifications on the way are nobody's and are dropped. */
export function collect(clientId: string, send: (sink: Sink) => Flight): Promise<Collected> {
  return new Promise((done, refused) => {
    send({
      clientId,
      whole: true,
      started: () => {},
      streaming: () => {},
      message: () => {},
      priming: () => {},
      answer: (bytes, body, status) => done({ bytes, body, status }),
      piece: () => {},
      finished: () => {},
      failed: refused,
    })
  })
}

/** The same answer for whoever keeps it long: as a text, since a small part of a buffer, kept, keeps all of its pool; parsed when asked for. */
export function kept({ bytes, status }: Collected): Collected {
  const text = bytes.toString('latin1')
  return {
    status,
    get bytes() {
      return Buffer.from(text, 'latin1')
    },
    get body() {
      return JSON.parse(this.bytes.toString('utf8'))
    },
  }
}
