/** The tutorial does what it says: its `sh` blocks are run in one shell, what they print is what the `text` blocks say, and a browser does what a reader is told to do. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type OpenBrowser, openBrowser } from '../fixtures/browser.ts'
import { FASTMCP, fastmcp } from '../fixtures/peers.ts'
import { environment, freePort, ROOT } from '../fixtures/process.ts'
import { openShell, type Shell } from '../fixtures/shell.ts'

const INSTALLING_MS = 10 * 60_000
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-example-'))
const desk = join(folder, 'examples', 'calculator')
let browser: OpenBrowser
let shell: Shell

beforeAll(async () => {
  mkdirSync(join(folder, 'examples'))
  for (const name of ['node_modules', 'bin']) symlinkSync(join(ROOT, name), join(folder, name))
  const ours = (path: string) => !/\/(?:\.venv|\.gatehouse)$/.test(path)
  cpSync(join(ROOT, 'examples', 'calculator'), desk, { recursive: true, filter: ours })
  // Others use the ports of the tutorial at the same time.
  const ports = new Map<string, string>()
  for (const port of ['4000', '4100', '4200']) ports.set(port, String(await freePort()))
  for (const name of readdirSync(desk)) {
    const text = readFileSync(join(desk, name), 'utf8')
    const moved = text.replaceAll(/\b4[012]00\b/g, port => ports.get(port) ?? port)
    writeFileSync(join(desk, name), moved)
  }
  const env = environment({ GATEHOUSE_PORT: ports.get('4000') ?? '' })
  shell = openShell({ cwd: desk, env })
  // What the reader installs.
  symlinkSync(join(await fastmcp(), '..', '..'), join(desk, '.venv'))
  browser = await openBrowser()
}, INSTALLING_MS)

afterAll(async () => {
  await browser?.close()
  await shell?.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

const readme = () => readFileSync(join(desk, 'README.md'), 'utf8')

/** The commands in order, each with the lines that must be part of what it prints. */
function steps(text: string): { commands: string; printed: readonly string[] }[] {
  const blocks = [...text.matchAll(/^```(sh|text)\n([\s\S]*?)^```$/gm)]
  return blocks.flatMap(([, kind, commands = ''], at) => {
    const [, nextKind, next = ''] = blocks[at + 1] ?? []
    return kind === 'sh' ? [{ commands, printed: nextKind === 'text' ? next.trim().split('\n') : [] }] : []
  })
}

/** What a reader sees and does in the browser, in the words of the tutorial. */
async function follow(link: string): Promise<void> {
  const { page } = await browser.person()
  await page.goto(link)
  await page.getByRole('link', { name: 'Sign in with Office' }).click()
  await page.getByLabel('Your e-mail address').fill('ana@example.com')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByRole('button', { name: /^Go on to 127\.0\.0\.1:\d+$/ }).click()
  await page.getByRole('heading', { name: 'office/calculator is connected' }).waitFor()
}

it('does what it says', async () => {
  expect(readme()).toContain(`pip install ${FASTMCP}\n`)
  let links = 0
  for (const { commands, printed } of steps(readme())) {
    const shown = await shell.run(commands)
    for (const line of printed) expect(shown).toContain(line)
    const link = /http:\S+\/connect\/office\/calculator\?for=[\w-]+/.exec(shown)?.[0]
    if (link === undefined) continue
    links++
    await follow(link)
  }
  expect(links).toBe(1)
})
