import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  children,
  isAlive,
  type Recorder,
  recorder,
  startGateway,
  temporaryDirectory,
  until,
  writeScript,
} from '../../../test/fixtures/processes.ts'
import { silentLog } from '../../foundation/log.ts'
import { openProcesses, type Processes, type ProcessOptions, type ServerProcess } from './process.ts'

const node = process.execPath

type Running = Recorder & { readonly server: ServerProcess }

type House = {
  readonly directory: string
  readonly processes: Processes
  /** Runs a script under node. */
  run(source: string, more?: { args?: string[]; env?: Record<string, string>; cwd?: string }): Running
  /** Runs any command. */
  command(command: string, args?: readonly string[]): Running
}

function openHouse(options: Partial<ProcessOptions> = {}): House {
  const directory = temporaryDirectory()
  const environment = { PATH: '/usr/bin:/bin', HOME: directory }
  const processes = openProcesses({
    maximum: 10,
    dataDir: join(directory, 'state'),
    lineBytes: 1024 * 1024,
    environment,
    log: silentLog,
    ...options,
  })
  onTestFinished(() => processes.close())
  let scripts = 0
  return {
    directory,
    processes,
    run(source, { args = [], env = {}, cwd } = {}) {
      const script = writeScript(directory, `script-${scripts++}`, source)
      const seen = recorder()
      return {
        ...seen,
        server: processes.start({ command: node, args: [script, ...args], env, cwd }, seen.events),
      }
    },
    command(command, args = []) {
      const seen = recorder()
      return { ...seen, server: processes.start({ command, args, env: {} }, seen.events) }
    },
  }
}

const echo = `process.stdin.on('data', bytes => process.stdout.write(bytes)).on('end', () => process.exit(0))`
const stubborn = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`

// Prints its pid and that of a grandchild, which ignores SIGTERM; in a session of its own if told so.
function parentOf(grandchild: { isDetached: boolean }): string {
  return `
    import { spawn } from 'node:child_process'
    const child = spawn(process.execPath, ['-e', ${JSON.stringify(`${stubborn} console.log(process.pid)`)}],
      { detached: ${grandchild.isDetached}, stdio: ['ignore', 'pipe', 'ignore'] })
    child.stdout.once('data', line => console.log('grandchild ' + line.toString().trim()))
    process.stdin.on('data', () => process.exit(3)).on('end', () => process.exit(0))`
}

async function grandchildOf({ line }: Running): Promise<number> {
  const pid = Number((await line(/^grandchild \d+$/)).split(' ')[1])
  onTestFinished(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
  expect(isAlive(pid)).toBe(true)
  return pid
}

describe('a process', () => {
  it('gets lines and gives lines', async () => {
    const { server, line } = openHouse().run(echo)
    server.send('{"text":"one"}')
    server.send(Buffer.from('{\n "text":\r\n "two"}'))
    expect(await line(/one/)).toBe('{"text":"one"}')
    expect(await line(/two/)).toBe('{  "text":   "two"}')
  })

  it('that is stopped ends once, says so, and frees its place', async () => {
    const { processes, run } = openHouse()
    const { server, line, ends } = run(`${echo}; console.log('up')`)
    await line(/up/)
    expect(processes.running()).toBe(1)
    await Promise.all([server.stop(), server.stop()])
    expect(ends).toMatchObject([{ kind: 'stopped', exitCode: 0, signal: null }])
    expect(processes.running()).toBe(0)
    expect(isAlive(server.pid!)).toBe(false)
    server.send('{}')
    await server.stop()
    expect(ends).toHaveLength(1)
  })

  it('that exits at once leaves its code and its last words, without secrets', async () => {
    const { end, lines, server } = openHouse().run(
      `console.log('last line'); console.error('cannot read', process.env.DB_TOKEN); process.exitCode = 7`,
      { env: { DB_TOKEN: 'very-secret-value' } },
    )
    expect(await end()).toEqual({
      kind: 'exited',
      why: 'It exited with code 7.',
      exitCode: 7,
      signal: null,
      stderr: ['cannot read [redacted]'],
    })
    expect(lines).toEqual(['last line'])
    expect(server.stderrTail()).toEqual(['cannot read [redacted]'])
  })

  it('that is killed says by which signal', async () => {
    const { server, line, end } = openHouse().run(`${echo}; console.log('up')`)
    await line(/up/)
    process.kill(server.pid!, 'SIGKILL')
    expect(await end()).toMatchObject({ kind: 'exited', why: 'It was ended by SIGKILL.', signal: 'SIGKILL' })
  })

  it.each([
    ['no-such-program', (path: string) => `no-such-program was not found on the PATH ${path}`],
    [
      '/no/such/program',
      () => '/no/such/program does not exist, or the interpreter in its first line does not.',
    ],
    ['/', () => '/ may not be executed.'],
  ])('of the command %s does not start, and says why', async (command, why) => {
    const { processes, command: start } = openHouse({ environment: { PATH: '/one:/two' } })
    const { server, end } = start(command)
    expect(server.pid).toBeUndefined()
    const path = [join(node, '..'), '/one', '/two'].join(':')
    expect(await end()).toMatchObject({ kind: 'not-started', why: why(path) })
    await server.stop()
    expect(processes.running()).toBe(0)
  })

  it('does not start in a directory that is not there', async () => {
    const { end } = openHouse().run(echo, { cwd: '/no/such/place' })
    expect((await end()).why).toBe('Its working directory /no/such/place does not exist.')
  })

  it('of a command the system cannot even take is refused, and leaves nothing', async () => {
    const { processes, command, directory } = openHouse()
    expect(() => command('echo', ['a\0b'])).toThrow(
      expect.objectContaining({ code: 'upstream.process_failed' }),
    )
    expect(processes.running()).toBe(0)
    await processes.close()
    expect(readdirSync(join(directory, 'state', 'processes'))).toEqual([])
  })

  it('never sees a shell', async () => {
    const args = ['; id', '$(id)', '`id`', 'a b', '', '-n', "'", '*']
    const { line } = openHouse().run('console.log(JSON.stringify(process.argv.slice(2)))', { args })
    expect(JSON.parse(await line(/id/))).toEqual(args)
  })

  it('over the cap is refused until another is gone', async () => {
    const { run } = openHouse({ maximum: 2 })
    const [first] = [run(echo), run(echo)]
    const overCap = expect.objectContaining({ code: 'upstream.too_many_processes', why: '2 of 2 run.' })
    expect(() => run(echo)).toThrow(overCap)
    await first!.server.stop()
    const third = run(`${echo}; console.log('up')`)
    await third.line(/up/)
  })

  it('is not started any more once all are closed', async () => {
    const { processes, run } = openHouse()
    const { server, ends } = run(stubborn)
    await processes.close()
    expect(isAlive(server.pid!)).toBe(false)
    expect(ends).toMatchObject([{ kind: 'stopped' }])
    expect(() => run(echo)).toThrow(expect.objectContaining({ code: 'upstream.process_failed' }))
  })
})

describe('what a process finds', () => {
  it('is a clean environment: a short list, its own settings, the mark', async () => {
    const environment = {
      PATH: '/usr/bin:/bin',
      HOME: '/home/gate',
      LANG: 'C.UTF-8',
      SSL_CERT_FILE: '/etc/our-ca.pem',
      DATABASE_URL: 'postgres://secret',
      NODE_OPTIONS: '--no-warnings',
      npm_config_registry: 'http://secret',
      GATEHOUSE_TOKEN: 'secret',
    }
    const { line } = openHouse({ environment }).run('console.log(JSON.stringify(process.env))', {
      env: { LOG_LEVEL: 'info', GATEHOUSE_PROCESS: 'forged' },
    })
    const { PATH: _, ...seen } = JSON.parse(await line(/LOG_LEVEL/))
    const mark = expect.stringMatching(/^[0-9a-z]{26}\.1$/)
    expect(seen).toEqual({
      HOME: '/home/gate',
      LANG: 'C.UTF-8',
      SSL_CERT_FILE: '/etc/our-ca.pem',
      LOG_LEVEL: 'info',
      GATEHOUSE_PROCESS: mark,
    })
  })

  it('is the node that runs the gateway, first on the PATH', async () => {
    const { line } = openHouse({ environment: { PATH: '/usr/bin:/bin' } }).command('node', [
      '-p',
      'process.execPath',
    ])
    expect(await line(/node/)).toBe(node)
  })

  it('is a private, empty directory, which goes with it', async () => {
    const { run, directory } = openHouse()
    const { server, line } = run(`${echo}; console.log(process.cwd())`)
    const place = await line(/./)
    expect(place).toContain(join(directory, 'state', 'processes'))
    expect(statSync(place).mode & 0o777).toBe(0o700)
    expect(readdirSync(place)).toEqual([])
    mkdirSync(join(place, 'left'))
    writeFileSync(join(place, 'left', 'behind'), '')
    await server.stop()
    expect(existsSync(place)).toBe(false)
  })

  it('is the directory it was given, which stays', async () => {
    const { run, directory } = openHouse()
    const given = join(directory, 'given')
    mkdirSync(given)
    const { server, line } = run(`${echo}; console.log(process.cwd())`, { cwd: given })
    expect(await line(/./)).toBe(given)
    await server.stop()
    expect(existsSync(given)).toBe(true)
  })
})

if (process.platform === 'linux') {
  describe('what a process does not find', () => {
    const files = `
      import { readdirSync, readlinkSync } from 'node:fs'
      const targets = readdirSync('/proc/self/fd').flatMap(file => {
        try { return [readlinkSync('/proc/self/fd/' + file)] } catch { return [] }
      })
      console.log(JSON.stringify(targets))`

    function openSecret(directory: string): { path: string; file: number } {
      const path = writeScript(directory, 'secret', '')
      const file = openSync(path, 'r')
      onTestFinished(() => closeSync(file))
      return { path, file }
    }

    it('is an open file of the gateway', async () => {
      const { run, directory } = openHouse()
      const { path } = openSecret(directory)
      expect(JSON.parse(await run(files).line(/./))).not.toContain(path)
    })

    it('is an open file that the gateway was started with', async () => {
      const directory = temporaryDirectory()
      const { path, file } = openSecret(directory)
      const script = writeScript(directory, 'files', files)
      const { seen } = startGateway(
        directory,
        `import { readlinkSync } from 'node:fs'
         say('open: ' + readlinkSync('/proc/self/fd/${file}'))
         start(process.execPath, ['${script}'])`,
        [file],
      )
      expect(await seen.line(/open/)).toBe(`open: ${path}`)
      expect(JSON.parse(await seen.line(/^\[/))).not.toContain(path)
    })
  })

  describe('stopping', () => {
    it('reaches a descendant that became a daemon', async () => {
      const running = openHouse().run(parentOf({ isDetached: true }))
      const grandchild = await grandchildOf(running)
      await running.server.stop()
      // It is in a group of its own: it was killed by then, and dies as soon as the kernel lets it.
      await until('it is gone', () => !isAlive(grandchild))
    })

    it('does not wait for a zombie that others leave lying', async () => {
      const log = { ...silentLog, error: vi.fn() }
      const { command } = openHouse({ log })
      // Leaves a zombie in the group, in the care of one who has left the group and dropped the mark.
      const careless = 'env -i sh -c "true & exec setsid sleep 1000" & echo $!; exec cat'
      const { server, line } = command('sh', ['-c', careless])
      const pid = Number(await line(/^\d+$/))
      onTestFinished(() => void process.kill(pid, 'SIGKILL'))
      await until('it has left', () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n')
      await server.stop()
      expect(isAlive(pid)).toBe(true)
      expect(log.error).not.toHaveBeenCalled()
    })

    it('300 times leaves no zombie and no file open', { timeout: 300_000 }, async () => {
      const { processes, command } = openHouse()
      const openFiles = () => readdirSync('/proc/self/fd').length
      await command('cat').server.stop()
      const filesBefore = openFiles()
      for (let i = 0; i < 60; i++) {
        const five = Array.from({ length: 5 }, () => command('cat'))
        for (const { server } of five) server.send('{}')
        await Promise.all(five.map(({ server }) => server.stop()))
      }
      expect(processes.running()).toBe(0)
      expect(children().filter(({ state, command }) => state === 'Z' || command.startsWith('cat'))).toEqual(
        [],
      )
      await until('files closed', () => Math.abs(openFiles() - filesBefore) <= 2)
    })
  })
}

describe('the end of a process', () => {
  it('is the end of its children, even of those that will not', async () => {
    const { run, processes } = openHouse()
    const running = run(parentOf({ isDetached: false }))
    const grandchild = await grandchildOf(running)
    running.server.send('exit')
    expect(await running.end()).toMatchObject({ kind: 'exited', exitCode: 3 })
    await until('the grandchild is gone', () => !isAlive(grandchild))
    await until('its place is free', () => processes.running() === 0)
  })

  it('comes by force to one that ignores its stdin and SIGTERM, and to its children', async () => {
    const running = openHouse().run(
      `${parentOf({ isDetached: false })}\n${stubborn}; process.stdin.removeAllListeners('end')`,
    )
    const grandchild = await grandchildOf(running)
    await running.server.stop()
    expect(running.ends).toMatchObject([{ kind: 'stopped', signal: 'SIGKILL' }])
    expect([isAlive(running.server.pid!), isAlive(grandchild)]).toEqual([false, false])
  })
})

describe('a process that misbehaves', () => {
  it('by a line that never ends is ended', async () => {
    const flood = `const x = 'x'.repeat(65536); const go = () => { while (process.stdout.write(x)); process.stdout.once('drain', go) }; console.log('up'); go()`
    const { end, lines, server } = openHouse({ lineBytes: 200_000 }).run(flood)
    expect(await end()).toMatchObject({
      kind: 'line-too-long',
      why: 'It wrote a line of more than 200000 bytes to stdout.',
    })
    expect(lines).toEqual(['up'])
    await server.stop()
    expect(isAlive(server.pid!)).toBe(false)
  })

  it('by garbage is none of our business: it is lines like any other', async () => {
    const { end, lines } = openHouse().run(`process.stdout.write(Buffer.from([0, 255, 10, 10, 27, 10, 65]))`)
    await end()
    expect(lines).toEqual(['\0\ufffd', '', '\u001b'])
  })

  it('by not reading its stdin is ended before it costs the gateway its memory', async () => {
    const { server, end, ends, line } = openHouse().run(`console.log('up'); setInterval(() => {}, 1000)`)
    await line(/up/)
    const megabyte = Buffer.alloc(1024 * 1024, 'x')
    for (let i = 0; i < 64; i++) server.send(megabyte)
    expect(ends).toEqual([])
    expect(await end()).toMatchObject({ kind: 'not-reading' })
    await server.stop()
    expect(isAlive(server.pid!)).toBe(false)
  })

  it('by closing its stdout and running on is ended', async () => {
    const { end, server } = openHouse().run(
      `import { closeSync } from 'node:fs'; closeSync(1); setInterval(() => {}, 1000)`,
    )
    expect(await end()).toMatchObject({
      kind: 'pipe-closed',
      why: 'It closed its stdin or stdout, but ran on.',
    })
    expect(isAlive(server.pid!)).toBe(false)
  })
})
