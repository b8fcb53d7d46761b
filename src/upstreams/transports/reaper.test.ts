import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  children,
  type Gateway,
  isAlive,
  startGateway,
  temporaryDirectory,
  until,
  writeScript,
} from '../../../test/fixtures/processes.ts'
import { silentLog } from '../../foundation/log.ts'
import { openReaper } from './reaper.ts'

// Ignores what can be ignored, and prints the pids of itself and of a grandchild that does the same.
const stubborn = `
  import { spawn } from 'node:child_process'
  process.on('SIGTERM', () => {}).on('SIGINT', () => {}).on('SIGHUP', () => {})
  console.log('pid ' + process.pid)
  const [how] = process.argv.slice(2)
  if (how) spawn(process.execPath, [process.argv[1]], { stdio: 'inherit', detached: how === 'detached' })
  setInterval(() => {}, 1000)`

async function pids({ seen }: Gateway, count: number): Promise<number[]> {
  const found = () => seen.lines.flatMap(line => /^pid (\d+)$/.exec(line)?.[1] ?? []).map(Number)
  await until(`${count} processes among ${JSON.stringify(seen.lines)}`, () => found().length === count)
  onTestFinished(() => {
    for (const pid of found()) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
  expect(found().filter(isAlive)).toEqual(found())
  return found()
}

describe('when the gateway is killed', () => {
  it('its servers, their children and their directories are gone with it', async () => {
    const directory = temporaryDirectory()
    const script = writeScript(directory, 'stubborn', stubborn)
    const gateway = startGateway(
      directory,
      `for (let i = 0; i < 3; i++) start(process.execPath, ['${script}', 'attached'])`,
    )
    const all = await pids(gateway, 6)
    expect(readdirSync(join(directory, 'state', 'processes'))).toHaveLength(1)
    gateway.kill()
    await until('all of them gone', () => !all.some(isAlive))
    await until('no directory left', () => readdirSync(join(directory, 'state', 'processes')).length === 0)
  })

  it('a server that dropped the mark from its environment is gone with it, by its group', async () => {
    const directory = temporaryDirectory()
    const script = writeScript(directory, 'stubborn', stubborn)
    const gateway = startGateway(directory, `start('env', ['-i', process.execPath, '${script}', 'attached'])`)
    const all = await pids(gateway, 2)
    gateway.kill()
    await until('both gone', () => !all.some(isAlive))
  })

  it('within the very turn that started a server, the server is gone with it', async () => {
    const gateway = startGateway(
      temporaryDirectory(),
      `import { writeSync } from 'node:fs'
       const server = start('env', ['-i', 'sleep', '1000'])
       writeSync(1, 'started ' + server.pid + '\\n')
       process.kill(process.pid, 'SIGKILL')`,
    )
    const server = Number((await gateway.seen.line(/^started \d+$/)).split(' ')[1])
    await until('it is gone', () => !isAlive(server))
  })

  if (process.platform === 'linux') {
    it('a descendant that became a daemon is gone with it', async () => {
      const directory = temporaryDirectory()
      const script = writeScript(directory, 'stubborn', stubborn)
      const gateway = startGateway(directory, `start(process.execPath, ['${script}', 'detached'])`)
      const all = await pids(gateway, 2)
      gateway.kill()
      await until('both gone', () => !all.some(isAlive))
    })
  }
})

it('a gateway that only has a watchdog left ends by itself', async () => {
  const gateway = startGateway(temporaryDirectory(), `await start('true', []).stop(); say('stopped')`)
  await gateway.seen.line(/stopped/)
  await until('it has ended', () => !isAlive(gateway.pid))
})

if (process.platform === 'linux') {
  describe('the watchdog', () => {
    function setUp() {
      const directory = temporaryDirectory()
      const own = join(directory, 'own')
      const reaper = openReaper({ mark: 'test', directory: own, path: '/usr/bin:/bin', log: silentLog })
      onTestFinished(() => reaper.close())
      const find = () => children().find(({ state, command }) => state !== 'Z' && command.includes(own))?.pid
      const running = async () => {
        await until('it runs and ignores signals', () => ignoresTerm(find()))
        return find()
      }
      return { reaper, running, find }
    }

    function sleeper(): number {
      const { pid } = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
      if (pid === undefined) throw new Error('no sleep')
      onTestFinished(() => {
        if (isAlive(pid)) process.kill(pid, 'SIGKILL')
      })
      return pid
    }

    function ignoresTerm(pid: number | undefined): boolean {
      const mask = pid && /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      return Boolean(mask && BigInt(`0x${mask}`) & (1n << 14n))
    }

    it('ends the groups it was told of, but not those that it was told are gone', async () => {
      const { reaper } = setUp()
      const [one, other, third] = [sleeper(), sleeper(), sleeper()]
      for (const group of [one, other, third]) reaper.add(group)
      reaper.remove(other)
      await reaper.close()
      await until('the others are gone', () => !isAlive(one) && !isAlive(third))
      expect(isAlive(other)).toBe(true)
    })

    it('outlives the signals that end the gateway', async () => {
      const { reaper, running, find } = setUp()
      const before = await running()
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.kill(before!, signal)
      const group = sleeper()
      reaper.add(group)
      expect(find()).toBe(before)
      await reaper.close()
      await until('the group is gone', () => !isAlive(group))
    })

    it('is replaced when it dies, and its successor knows what it knew', async () => {
      const { reaper, running } = setUp()
      const group = sleeper()
      reaper.add(group)
      const before = await running()
      process.kill(before!, 'SIGKILL')
      await until('it is gone', () => !isAlive(before!))
      expect(await running()).not.toBe(before)
      await reaper.close()
      await until('the group is gone', () => !isAlive(group))
    })

    it('does not outlive an orderly end', async () => {
      const { reaper, running } = setUp()
      const watchdog = await running()
      await reaper.close()
      expect(isAlive(watchdog!)).toBe(false)
    })
  })
}
