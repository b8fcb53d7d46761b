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
