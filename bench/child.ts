/** What the bench's own child processes have in common: they tell their port, and end with their parent. */
import type { Server } from 'node:net'

/** Listens on a free port, tells the parent process (or the terminal) which, and ends when the parent is gone. */
export function announcePort(server: Server, path = ''): void {
  endWithParent()
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    if (process.send) process.send({ port: address.port })
    else console.log(`http://127.0.0.1:${address.port}${path}`)
  })
}

export function endWithParent(): void {
  process.on('disconnect', () => process.exit())
}
