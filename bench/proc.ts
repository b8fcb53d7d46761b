/** What a process and its children have used so far, read from /proc (proc(5), /proc/pid/stat). */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export type Stat = { pid: number; parent: number; cpuTicks: number; residentPages: number }
export type Usage = { cpuSeconds: number; residentBytes: number }

/** Reads one stat line. The command name may hold spaces and parentheses, so fields count from the last `)`. */
export function parseStat(line: string): Stat {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  // Counted from the state, field 3 of the manual: the parent is field 4, the four times are 14 to 17, the resident pages 24.
  const field = (number: number) => Number(fields[number - 3])
  return {
    pid: Number.parseInt(line, 10),
    parent: field(4),
    // User and system time, and that of children which already ended and were waited for.
    cpuTicks: field(14) + field(15) + field(16) + field(17),
    residentPages: field(24),
  }
}

/** The process and all that descend from it. */
export function treeOf(pid: number, stats: readonly Stat[]): Stat[] {
  return stats
    .filter(stat => stat.pid === pid)
    .concat(
      stats
        .filter(stat => stat.parent === pid && stat.pid !== pid)
        .flatMap(child => treeOf(child.pid, stats)),
    )
}

function readStats(): Stat[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      try {
        return [parseStat(readFileSync(`/proc/${name}/stat`, 'latin1'))]
      } catch {
        return [] // It ended between the listing and the reading.
      }
    })
}

export const descendantsOf = (pid: number): number[] => treeOf(pid, readStats()).map(stat => stat.pid)

const setting = (name: string) => Number(execFileSync('getconf', [name], { encoding: 'latin1' }))
let units: { ticksPerSecond: number; pageBytes: number } | undefined

export function usageOf(pid: number): Usage {
  units ??= { ticksPerSecond: setting('CLK_TCK'), pageBytes: setting('PAGESIZE') }
  const { ticksPerSecond, pageBytes } = units
  const tree = treeOf(pid, readStats())
  if (tree.length === 0) throw new Error(`process ${pid} has ended`)
  return {
    cpuSeconds: tree.reduce((sum, stat) => sum + stat.cpuTicks, 0) / ticksPerSecond,
    residentBytes: tree.reduce((sum, stat) => sum + stat.residentPages, 0) * pageBytes,
  }
}
