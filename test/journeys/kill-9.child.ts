/** Records audit events as fast as it can and prints the id of each that was acknowledged: `node kill-9.child.ts <dataDir>`. */
import { writeSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { openAudit } from '../../src/audit/index.ts'
import { openDatabase } from '../../src/database/index.ts'
import { silentLog } from '../../src/foundation/log.ts'
import { toolCall } from '../fixtures/audit-event.ts'

const stdout = 1
const dataDir = String(process.argv[2])
const database = await openDatabase({ dataDir })
const audit = await openAudit({ database, dataDir, log: silentLog, sync: false })

function record(): void {
  const event = toolCall()
  audit.record(event, error => {
    if (error === undefined) writeSync(stdout, `${event.id}\n`)
  })
}

// So that the thread that ships lives, and the kill meets it at its work too.
await audit.recorded(toolCall())
await audit.flush()

for (;;) {
  const events = 1 + Math.floor(Math.random() * 20)
  for (let i = 0; i < events; i++) record()
  if (events === 1) void audit.flush()
  await nextTurn()
}
