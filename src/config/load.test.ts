import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../foundation/errors.ts'
import { type ConfigProblem, type ConfigSources, loadConfig } from './load.ts'
import { settings } from './settings.ts'

function directory(yaml?: string): string {
  const path = mkdtempSync(join(tmpdir(), 'gatehouse-config-'))
  if (yaml !== undefined) writeFileSync(join(path, 'gatehouse.config.yaml'), yaml)
  return path
}

function load(sources: Partial<ConfigSources>) {
  return loadConfig({ environment: {}, workingDirectory: directory(), ...sources })
}

function problems(sources: Partial<ConfigSources>): readonly ConfigProblem[] {
  try {
    load(sources)
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown
    expect(thrown.code).toBe('config.invalid')
    return thrown.data?.problems as ConfigProblem[]
  }
  throw new Error('nothing was refused')
}

describe('where a value comes from', () => {
  it('has a default for everything', () => {
    const workingDirectory = directory()
    const config = load({ workingDirectory })
    expect(config).toMatchObject({ host: '127.0.0.1', port: 4000, limits: { callSeconds: 60 } })
    expect(config.dataDir).toBe(join(workingDirectory, '.gatehouse'))
  })

  it('prefers flags to environment to file', () => {
    const workingDirectory = directory(
      'port: 1\nhost: 127.0.0.3\nlimits:\n  callSeconds: 5\n  processes: 7\n',
    )
    const config = load({
      workingDirectory,
      flags: { port: '3' },
      environment: { GATEHOUSE_PORT: '2', GATEHOUSE_HOST: '127.0.0.2', GATEHOUSE_LIMITS_CALL_SECONDS: '6' },
    })
    expect(config).toMatchObject({ port: 3, host: '127.0.0.2', limits: { callSeconds: 6, processes: 7 } })
  })

  it('reads lists and booleans from text', () => {
    const config = load({
      environment: { GATEHOUSE_ALLOWED_HOSTS: 'a.example, b.example,', GATEHOUSE_AUDIT_SYNC: 'on' },
    })
    expect(config.allowedHosts).toEqual(['a.example', 'b.example'])
    expect(config.audit.sync).toBe(true)
  })

  it('takes DATABASE_URL, but rather the variable of its own', () => {
    const environment = { DATABASE_URL: 'postgres://a/b' }
    expect(load({ environment }).databaseUrl).toBe('postgres://a/b')
    const both = { ...environment, GATEHOUSE_DATABASE_URL: 'postgres://c/d' }
    expect(load({ environment: both }).databaseUrl).toBe('postgres://c/d')
  })

  it('treats an empty variable as not set, and leaves those of the client alone', () => {
    expect(load({ environment: { GATEHOUSE_PORT: '', GATEHOUSE_URL: 'x', GATEHOUSE_TOKEN: 'y' } }).port).toBe(
      4000,
    )
  })

  it.each(settings)('$key can be set through $variable', setting => {
    const text = { text: 'x', number: '-1', boolean: 'perhaps', list: 'a' }[setting.form]
    const environment = { [setting.variable]: text }
    try {
      const config = load({ environment })
      expect(JSON.stringify(config)).toContain(text)
    } catch (thrown) {
      expect(thrown).toMatchObject({ data: { problems: [{ path: setting.key, from: setting.variable }] } })
    }
  })
})

describe('what is wrong', () => {
  it('is told all at once, with value, place and fix', () => {
    const workingDirectory = directory(
      'host: 127.0.0.1\nprot: 4000\nlimits:\n  callSecond: 5\n  processes: none\n',
    )
    const found = problems({
      workingDirectory,
      flags: { port: '70000' },
      environment: { GATEHOUSE_LOG_LEVL: 'info', GATEHOUSE_LOG_LEVEL: 'loud' },
    })
    expect(found).toEqual([
      expect.objectContaining({ path: 'GATEHOUSE_LOG_LEVL', fix: 'Did you mean GATEHOUSE_LOG_LEVEL?' }),
      expect.objectContaining({ path: 'port', value: '"70000"', from: '--port' }),
      expect.objectContaining({ path: 'logLevel', value: '"loud"', from: 'GATEHOUSE_LOG_LEVEL' }),
      expect.objectContaining({ path: 'limits.processes', value: '"none"', from: 'gatehouse.config.yaml:5' }),
      expect.objectContaining({
        path: 'limits.callSecond',
        from: 'gatehouse.config.yaml:4',
        fix: 'Did you mean callSeconds?',
      }),
      expect.objectContaining({ path: 'prot', from: 'gatehouse.config.yaml:2', fix: 'Did you mean port?' }),
    ])
  })

  it.each([
    { environment: { DATABASE_URL: 'mysql://root:hunter2@db' } },
    { workingDirectory: directory('databaseUrl: mysql://root:hunter2@db\n') },
    { workingDirectory: directory('databasUrl: postgres://root:hunter2@db\n') },
    { environment: { GATEHOUSE_SECRET: 'hunter2' } },
  ])('never shows what may be secret: %j', sources => {
    expect(JSON.stringify(problems(sources))).not.toContain('hunter2')
  })

  it.each([
    ['port: [', 'gatehouse.config.yaml:1'],
    ['port: 1\nport: 2\n', 'gatehouse.config.yaml:2'],
    ['- a\n', 'gatehouse.config.yaml'],
  ])('includes a file that cannot be read: %j', (yaml, from) => {
    expect(problems({ workingDirectory: directory(yaml) })[0]).toMatchObject({ from })
  })

  it('includes a named file that is not there', () => {
    expect(problems({ file: 'mine.yaml' })).toMatchObject([
      { path: 'mine.yaml', problem: expect.stringContaining('ENOENT') },
    ])
  })

  it('includes a section that is no section', () => {
    const found = problems({
      workingDirectory: directory('limits: 5\n'),
      environment: { GATEHOUSE_LIMITS_PROCESSES: '3' },
    })
    expect(found).toMatchObject([{ path: 'limits', from: 'gatehouse.config.yaml:1' }])
  })
})
