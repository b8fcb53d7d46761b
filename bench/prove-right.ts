/** Before anything is timed: one answer of each target, compared field by field with what the stub says. */
import { deepStrictEqual } from 'node:assert'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Address,
  type CallShape,
  callHeaders,
  eraOf,
  firstId,
  messageOf,
  resultFor,
  type Shape,
} from './calls.ts'
import type { Target } from './targets.ts'

/** Right after its start a target may need a moment. */
export async function proveRight({ name, address }: Target, shape: CallShape): Promise<void> {
  const right = { jsonrpc: '2.0', id: firstId, result: resultFor(eraOf(address), shape) }
  for (let attempt = 1; ; attempt++) {
    try {
      deepStrictEqual(await callOnce(address, shape), right)
      return
    } catch (error) {
      if (attempt === 30) throw new Error(`${name} does not answer ${shape} rightly: ${error}`)
      await sleep(100)
    }
  }
}

export async function callOnce(address: Address, shape: Shape): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${address.port}${address.path}`, {
    method: 'POST',
    headers: callHeaders(address, shape),
    body: messageOf(shape, firstId, address),
  })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${response.status} ${text.slice(0, 500)}`)
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream')
  return JSON.parse(isStream ? (/^data: ?(.+)$/m.exec(text)?.[1] ?? '') : text)
}
