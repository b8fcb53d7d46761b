#!/usr/bin/env node
// The one file that must parse on any Node: it finds Node 24 and hands over to src/main.ts.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import * as module from 'node:module'
import { fileURLToPath } from 'node:url'

const pathOf = relative => fileURLToPath(new URL(relative, import.meta.url))
const brought = pathOf('../node_modules/.bin/node')

if (Number(process.versions.node.split('.')[0]) >= 24) {
  // A start takes half the time when what was compiled before is kept; here, where nobody else may write, and not in a shared directory.
  module.enableCompileCache?.(pathOf('../node_modules/.cache/gatehouse'))
  await import('../src/main.ts')
} else if (existsSync(brought)) {
  const child = spawn(brought, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)))
} else {
  console.error(`Gatehouse needs Node 24 or newer; this is ${process.version}.`)
  console.error('Fix: run npm ci, which brings Node 24 along, or install Node 24.')
  process.exit(1)
}
