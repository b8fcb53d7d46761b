import { oneGroup, startGateway } from './fixtures/gateway.ts'
import { startConformanceServer, startEverything } from './fixtures/servers.ts'
import { connect } from './fixtures/sdk-client.ts'
for (const what of ['listen', 'legacy-everything', 'auto', 'cancelled']) {
  const c = await startConformanceServer(); const e = await startEverything('streamable-http')
  const g = await startGateway({ manifest: oneGroup('lab', { c: c.transport, e: e.transport }) })
    const client = await connect({ url: `${g.url}/mcp/lab/${what === 'listen' ? 'c' : 'e'}/server`, token: g.token, mode: what === 'listen' ? 'pinned' : what === 'auto' ? 'auto' : 'legacy' })
    const sub = what === 'listen' ? await client.listen({ toolsListChanged: true }) : undefined
    await client.listTools()
    await sub?.close()
    await client.close()
  const t = Date.now(); await g.stop(); console.log(what, 'stopped in', Date.now() - t, await g.process.ended, g.process.output().split('\n').slice(-4))
  const t2 = Date.now(); await c.stop(); await e.stop(); console.log('servers', Date.now() - t2)
}
