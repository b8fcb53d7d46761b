import { accessSync, constants } from 'node:fs'
import type { Command } from 'commander'
import { asGatewayError, GatewayError } from '../foundation/errors.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { HealthCheck } from '../http/index.ts'
import { openApi } from './api.ts'
import { exitCodes, faceFrom, ToldError } from './command-error.ts'
import { type Kit, leaf, type SharedOptions, wantsJson } from './kit.ts'
import { openReach } from './reach.ts'
import { cell } from './table.ts'

export function addDoctorCommand(program: Command, kit: Kit): void {
  leaf(program, 'doctor', 'look at everything, and say what is wrong and how to repair it').action(
    (options: SharedOptions) =>
      kit.run(options, async () => {
        const items = [
          ...here(kit, options),
          ...(await kit.terminal.working('Examining', there(kit, options))),
        ]
        const width = Math.max(...items.map(({ name }) => cell(name).length))
        kit.show(options, { items }, () => items.flatMap(item => linesOf(kit, item, width)))
        const isWell = items.every(item => item.isWell === true)
        if (isWell && !wantsJson(options)) kit.terminal.note('All is well.')
        if (!isWell) kit.setExitCode(exitCodes.failed)
      }),
  )
}

/** What can be seen without a gateway. */
function here(kit: Kit, options: SharedOptions): HealthCheck[] {
  const major = Number(process.versions.node.split('.')[0])
  const node = {
    ...check('node', major >= 24, `This is Node ${process.versions.node}.`),
    fix: 'Install Node 24 or newer.',
  }
  if (kit.environment.GATEHOUSE_URL) return [node]
  try {
    const { dataDir } = kit.readConfig(options)
    return [node, check('configuration', true, 'It is valid.'), writable(dataDir)]
  } catch (thrown) {
    const { why, fix } = asGatewayError(thrown)
    return [node, { ...check('configuration', false, why), fix }]
  }
}

function writable(dataDir: string): HealthCheck {
  try {
    accessSync(dataDir, constants.R_OK | constants.W_OK)
    return check('data directory', true, dataDir)
  } catch {
    const found = `${dataDir} is not there yet, or cannot be written.`
    return { ...check('data directory', false, found), fix: 'Start the gateway once, or correct dataDir.' }
  }
}

/** What the gateway says of itself. */
async function there(kit: Kit, options: SharedOptions): Promise<JsonObject[]> {
  try {
    const reach = await openReach(kit.environment, () => kit.readConfig(options))
    try {
      const { items } = await openApi(reach).list('/doctor')
      return [{ ...check('gateway', true, `It answers at ${reach.name}.`) }, ...items]
    } finally {
      await reach.close()
    }
  } catch (thrown) {
    if (thrown instanceof GatewayError || thrown instanceof ToldError) {
      const { title, why, fix } = faceFrom(thrown)
      return [{ ...check('gateway', false, `${cell(title)} ${cell(why)}`), fix }]
    }
    throw thrown
  }
}

function check(name: string, isWell: boolean, found: string): HealthCheck {
  return { name, isWell, isRequired: true, found }
}

function linesOf(kit: Kit, item: JsonObject | HealthCheck, width: number): string[] {
  const sign = item.isWell ? kit.terminal.paint('green', 'ok  ') : kit.terminal.paint('red', 'fail')
  const line = `${sign}  ${cell(item.name).padEnd(width)}  ${cell(item.found)}`
  return item.isWell || item.fix === undefined ? [line] : [line, `      fix: ${cell(item.fix)}`]
}
