/** The claim link: who sees it, how long and how often it is good. And nobody else can reach a gateway without an admin. */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { openDatabaseFile } from '../fixtures/database-file.ts'
import { type Launched, launch } from '../fixtures/gateway.ts'
import { type Answered, call } from '../fixtures/http-call.ts'
import { freePort, ROOT, type Running, start } from '../fixtures/process.ts'
import { temporaryDirectory } from '../fixtures/processes.ts'

type Place = { dataDir: string; port: number }

async function newPlace(): Promise<Place> {
  return { dataDir: join(temporaryDirectory(), 'data'), port: await freePort() }
}

async function begin(place: Place): Promise<Launched> {
  const gateway = launch(place)
  onTestFinished(async () => void (await gateway.process.stop()))
  await gateway.ready()
  await gateway.process.line('"ready"')
  return gateway
}

const fileOf = ({ dataDir }: Pick<Place, 'dataDir'>) => join(dataDir, 'claim-link')
const secretOf = (link: string) => link.trim().split('#')[1] ?? ''
const secretIn = (place: Place) => secretOf(readFileSync(fileOf(place), 'utf8'))

function claim(url: string, secret: string, email = 'first@example.com'): Promise<Answered> {
  return call(`${url}/api/v1/claim`, { method: 'POST', body: { secret, email } })
}

const codeOf = ({ status, text }: Answered): string => `${status} ${JSON.parse(text).code ?? ''}`
const refused = '403 identity.claim_refused'

it('without a terminal the link is in a file of the owner, and nowhere in the output', async () => {
  const place = await newPlace()
  const gateway = await begin(place)
  expect(statSync(fileOf(place)).mode & 0o777).toBe(0o600)
  const secret = secretIn(place)
  expect(Buffer.from(secret, 'base64url').length).toBeGreaterThanOrEqual(16)
  expect(gateway.process.output()).not.toContain(secret)
  const stored = readFileSync(join(place.dataDir, 'gatehouse.db'), 'latin1')
  expect(stored).not.toContain(secret)
})

it('it makes one admin, whose token works, and is refused ever after', async () => {
  const place = await newPlace()
  const { url } = await begin(place)
  const secret = secretIn(place)
  expect(codeOf(await claim(url, `${secret.slice(0, -1)}~`))).toBe(refused)
  const [first, second] = await Promise.all([claim(url, secret), claim(url, secret, 'second@example.com')])
  const [won, lost] = first.status === 201 ? [first, second] : [second, first]
  expect(won.status).toBe(201)
  expect(codeOf(lost)).toBe(refused)
  expect(codeOf(await claim(url, secret))).toBe(refused)
  const { text } = await call(`${url}/api/v1/users`, { token: JSON.parse(won.text).token })
  expect(JSON.parse(text).items).toMatchObject([{ role: 'admin' }])
})

it('it is refused once its time is over, and the next start gives another', async () => {
  const place = await newPlace()
  const gateway = await begin(place)
  const secret = secretIn(place)
  const database = openDatabaseFile(place.dataDir)
  const fact = database.prepare("select value from instance_facts where name = 'claim'").get()
  const { expiresAt } = JSON.parse(String(fact?.value))
  expect((expiresAt - Date.now()) / 60_000).toBeLessThanOrEqual(15)
  // Nobody waits a quarter of an hour for a test.
  database.exec(`update instance_facts set value = json_set(value, '$.expiresAt', 1) where name = 'claim'`)
  database.close()
  expect(codeOf(await claim(gateway.url, secret))).toBe(refused)
  await gateway.process.stop()
  const again = await begin(place)
  expect(codeOf(await claim(again.url, secret))).toBe(refused)
  expect((await claim(again.url, secretIn(place))).status).toBe(201)
})

it('it is good for nothing once there is an admin, however they came to be', async () => {
  const place = await newPlace()
  const gateway = await begin(place)
  const secret = secretIn(place)
  await gateway.cli('user', 'add', 'made@example.com', '--role', 'admin')
  expect(codeOf(await claim(gateway.url, secret))).toBe(refused)
  await gateway.process.stop()
  const again = await begin(place)
  expect(existsSync(fileOf(place))).toBe(false)
  expect(again.process.output()).not.toContain('"claim"')
  expect(codeOf(await claim(again.url, secret))).toBe(refused)
})

/** Starts it for a person: `script` (util-linux) gives it a terminal. */
function startInTerminal({ dataDir, port }: Place): Running {
  const words = [
    process.execPath,
    join(ROOT, 'bin', 'gatehouse.mjs'),
    'start',
    '--data-dir',
    dataDir,
    '--port',
    `${port}`,
  ]
  const running = start({
    command: 'script',
    args: ['-qefc', `exec ${words.map(word => `'${word}'`).join(' ')}`, '/dev/null'],
  })
  onTestFinished(async () => void (await running.stop()))
  return running
}

it('in a terminal the link is shown, and in no file', async () => {
  const place = await newPlace()
  const running = startInTerminal(place)
  const line = await running.line('/claim#')
  await running.line('Stop: Ctrl-C')
  expect(existsSync(fileOf(place))).toBe(false)
  expect((await claim(`http://127.0.0.1:${place.port}`, secretOf(line))).status).toBe(201)
  await running.stop()
  expect(listeners().filter(({ port }) => port === place.port)).toEqual([])
})

type Listener = { readonly port: number; readonly isLoopback: boolean; readonly inode: string }

/** Every TCP socket of this machine that listens. Linux only. */
function listeners(): Listener[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(file =>
    readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map(line => line.trim().split(/\s+/))
      .filter(([, , , state]) => state === '0A')
      .map(([, local = '', , , , , , , , inode = '']) => {
        const [address = '', port = ''] = local.split(':')
        const isLoopback = address === '0100007F' || address === '00000000000000000000000001000000'
        return { port: Number.parseInt(port, 16), isLoopback, inode }
      }),
  )
}

it('without an admin it does not start beyond this machine, and nothing listens there meanwhile', async () => {
  const { dataDir, port } = await newPlace()
  const env = { GATEHOUSE_DATA_DIR: dataDir, GATEHOUSE_PORT: `${port}`, GATEHOUSE_HOST: '0.0.0.0' }
  const running = start({ args: [join(ROOT, 'bin', 'gatehouse.mjs'), 'start'], env })
  let isOver = false
  void running.ended.then(() => {
    isOver = true
  })
  const seen: Listener[] = []
  for (; !isOver; await sleep(5)) seen.push(...listeners().filter(listener => listener.port === port))
  expect(await running.ended).toBe(1)
  expect(seen).toEqual([])
  expect(running.output()).toContain('gatehouse user add <email> --role admin')
  expect(existsSync(fileOf({ dataDir }))).toBe(false)
})

it('on this machine it listens at its loopback address and nowhere else', async () => {
  const place = await newPlace()
  const { process: running } = await begin(place)
  const folder = `/proc/${running.pid}/fd`
  const own = new Set(readdirSync(folder).map(name => readlinkSync(join(folder, name))))
  const ours = listeners().filter(({ inode }) => own.has(`socket:[${inode}]`))
  expect(ours).toMatchObject([{ port: place.port, isLoopback: true }])
})
