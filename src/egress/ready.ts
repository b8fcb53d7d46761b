import type { Socket } from 'node:net'

/** Waits until the socket says it is ready; destroys it when it breaks before, or it is too late. */
export function ready(socket: Socket, event: 'connect' | 'secureConnect', late: AbortSignal): Promise<void> {
  return new Promise((done, refused) => {
    const stop = (error: unknown) => {
      late.removeEventListener('abort', tooLate)
      socket.destroy()
      refused(error)
    }
    const tooLate = () => stop(late.reason)
    if (late.aborted) return tooLate()
    late.addEventListener('abort', tooLate)
    // Stays: whoever takes the socket hears of its errors too.
    socket.on('error', stop)
    socket.once(event, () => {
      late.removeEventListener('abort', tooLate)
      done()
    })
  })
}
