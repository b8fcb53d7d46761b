/**
 * A thread that rings every fifth of a millisecond. Timers of the event loop come a millisecond late, which at thousands of calls
 * per second would be most of what is measured; spinning would take the core that the target needs.
 */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

const intervalMs = 0.2

export type Metronome = { stop(): Promise<unknown> }

/** Resolves with the first ring and rings until it is stopped. One ring waits at a time, however busy the listener is. */
export async function startMetronome(ring: () => void): Promise<Metronome> {
  const bell = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(new URL(import.meta.url), { workerData: bell })
  worker.on('message', () => {
    Atomics.store(bell, 0, 0)
    ring()
  })
  await once(worker, 'message')
  return { stop: () => worker.terminate() }
}

function swing(bell: Int32Array): void {
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (;;) {
    Atomics.wait(never, 0, 0, intervalMs)
    if (Atomics.exchange(bell, 0, 1) === 0) parentPort?.postMessage('ring')
  }
}

if (!isMainThread && workerData instanceof Int32Array) swing(workerData)
