import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { newDataDir, run, type Started, start } from '../fixtures/command.ts'

const mode = (path: string) => statSync(path).mode & 0o777

async function claim(gateway: Started, secret: string, email = 'ana@example.com') {
  const response = await fetch(`${gateway.url}/api/v1/claim`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ secret, email }),
  })
  const body = JSON.parse(await response.text())
  return { status: response.status, body }
}

describe('a first start without a terminal', () => {
  it('tells events as JSON, keeps the claim link for the owner of the machine, and is claimed once', async () => {
    const dataDir = newDataDir()
    const gateway = await start(dataDir)
    try {
      const told = await gateway.event('claim')
      expect(mode(told.file)).toBe(0o600)
      const link = new URL(readFileSync(told.file, 'utf8').trim())
      expect(link.href.startsWith(`${gateway.url}/claim#`)).toBe(true)
      const secret = link.hash.slice(1)
      expect(JSON.stringify(gateway.events)).not.toContain(secret)
      expect(Buffer.from(secret, 'base64url')).toHaveLength(16)
      expect((await claim(gateway, 'x'.repeat(22))).status).toBe(403)
      const { status, body } = await claim(gateway, secret)
      expect(status).toBe(201)
      const env = { GATEHOUSE_URL: gateway.url, GATEHOUSE_TOKEN: body.token }
      expect((await run(['user', 'list', '--json'], { env })).json.items).toMatchObject([{ role: 'admin' }])
      expect((await claim(gateway, secret, 'eve@example.com')).status).toBe(403)
    } finally {
      expect(await gateway.stop()).toBe(0)
    }
    expect(existsSync(join(dataDir, 'gatehouse.sock'))).toBe(false)
    const again = await start(dataDir)
    expect(again.events.map(({ event }) => event)).toEqual(['listening', 'ready'])
    expect(existsSync(join(dataDir, 'claim-link'))).toBe(false)
    await again.stop()
  })

  it('keeps everything it makes to its owner', async () => {
    const dataDir = newDataDir()
    const gateway = await start(dataDir)
    for (const file of ['gatehouse.db', 'gatehouse.sock', 'gateway.lock', 'keys/master.key'])
      expect([file, mode(join(dataDir, file)) & 0o077]).toEqual([file, 0])
    await gateway.stop()
  })
})

describe('starting is refused', () => {
  it('beyond this machine, before there is an admin', async () => {
    const dataDir = newDataDir()
    const words = ['start', '--host', '0.0.0.0', '--port', '0', '--data-dir', dataDir]
    expect(await run(words)).toMatchObject({ code: 1, stderr: expect.stringContaining('gatehouse user add') })
  })

  it('where another gateway runs', async () => {
    const dataDir = newDataDir()
    const gateway = await start(dataDir)
    const second = await run(['start', '--port', '0', '--data-dir', dataDir])
    expect(second).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Another gateway uses this data directory'),
    })
    await gateway.stop()
  })

  it('at a port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const second = await run(['start', '--port', String(port), '--data-dir', newDataDir()])
    expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('--port') })
    taken.close()
  })

  it.each([
    [['--port', '70000'], /port is "70000" \(from --port\)/],
    [['strat'], /Did you mean start\?/],
    [['--prot', '1'], /unknown option '--prot'/],
    [['server', 'add', 'a/b'], /missing required argument/],
  ])('when the command line is wrong: %j', async (words, stderr) => {
    expect(await run(words, { env: { GATEHOUSE_DATA_DIR: newDataDir() } })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(stderr),
    })
  })
})

describe('stopping', () => {
  it('starts anew after being killed, with a socket left behind', async () => {
    const dataDir = newDataDir()
    const killed = await start(dataDir)
    killed.process.kill('SIGKILL')
    await once(killed.process, 'close')
    expect(existsSync(join(dataDir, 'gatehouse.sock'))).toBe(true)
    const gateway = await start(dataDir)
    expect(await run(['user', 'list', '--data-dir', dataDir])).toMatchObject({ code: 0 })
    await gateway.stop()
  })

  it('answers what is in flight first', async () => {
    const gateway = await start(newDataDir())
    const body = JSON.stringify({ secret: 'x', email: 'a@example.com' })
    const asked = request(`${gateway.url}/api/v1/claim`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
    })
    asked.flushHeaders()
    await once(asked, 'continue')
    const stopped = gateway.stop()
    await gateway.event('stopping')
    await expect(fetch(gateway.url)).rejects.toThrow()
    asked.end(body)
    const [response] = await once(asked, 'response')
    response.resume()
    expect(response.statusCode).toBe(403)
    expect(await stopped).toBe(0)
  })

  it('does not wait for who connected and never asked', async () => {
    const gateway = await start(newDataDir())
    const asked = request(gateway.url)
    asked.on('error', () => undefined)
    const [socket] = await once(asked, 'socket')
    await once(socket, 'connect')
    expect(await gateway.stop()).toBe(0)
  })
})

describe('a command without a running gateway', () => {
  it('opens the data directory itself, and leaves nothing running', async () => {
    const env = { GATEHOUSE_DATA_DIR: newDataDir() }
    expect(await run(['user', 'add', 'ana@example.com', '--role', 'admin'], { env })).toMatchObject({
      code: 0,
    })
    expect((await run(['user', 'list', '--json'], { env })).json.items).toHaveLength(1)
  })

  it('takes turns with others that do the same', async () => {
    const env = { GATEHOUSE_DATA_DIR: newDataDir() }
    const ran = await Promise.all(['a', 'b', 'c'].map(name => run(['team', 'add', name], { env })))
    expect(ran.map(({ code, stderr }) => [code, stderr])).toEqual([0, 0, 0].map(code => [code, '']))
  })

  it('ends with 4 when what GATEHOUSE_URL names does not answer', async () => {
    const env = { GATEHOUSE_URL: 'http://127.0.0.1:9', GATEHOUSE_TOKEN: 'gth_pat_x' }
    for (const words of [
      ['user', 'list'],
      ['call', 'a/b', 'c'],
    ])
      expect(await run(words, { env })).toMatchObject({
        code: 4,
        stderr: expect.stringContaining('cannot be reached'),
      })
    const asJson = await run(['user', 'list', '--json'], { env })
    expect(JSON.parse(asJson.stderr).error.code).toBe('cli.unreachable')
  })
})
