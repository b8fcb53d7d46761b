/** Preloaded into the demo's HTTP server, which would listen on every address: makes it listen on this machine only. */
import { Server } from 'node:net'

const listen = Server.prototype.listen

Server.prototype.listen = function (this: Server, port: unknown, ...rest: unknown[]) {
  const listener = rest.find(argument => typeof argument === 'function')
  return Reflect.apply(listen, this, [{ port: Number(port), host: '127.0.0.1' }, listener])
}
