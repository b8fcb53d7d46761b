import { describe, expect, it } from 'vitest'
import { parseStat, treeOf, usageOf } from './proc.ts'

const line = (pid: number, name: string, parent: number) =>
  `${pid} (${name}) S ${parent} 7 7 0 -1 4194560 900 0 0 0 120 30 4 6 20 0 7 0 5000 1000000 2500 18446744073709551615 1 1\n`

describe('parseStat', () => {
  it('reads parent, user + system + children time, and resident pages', () => {
    expect(parseStat(line(42, 'node', 7))).toEqual({ pid: 42, parent: 7, cpuTicks: 160, residentPages: 2500 })
  })
  it('is not misled by spaces and parentheses in the command name', () => {
    expect(parseStat(line(42, 'a) R 1 (b', 7))).toEqual(parseStat(line(42, 'node', 7)))
  })
})

describe('treeOf', () => {
  const stats = [
    line(1, 'init', 0),
    line(10, 'a', 1),
    line(11, 'b', 10),
    line(12, 'c', 11),
    line(20, 'd', 1),
  ].map(parseStat)
  it('holds the process, its children and theirs, and nobody else', () => {
    expect(treeOf(10, stats).map(stat => stat.pid)).toEqual([10, 11, 12])
    expect(treeOf(99, stats)).toEqual([])
  })
})

describe('usageOf', () => {
  it.runIf(process.platform === 'linux')('agrees with what this process knows of itself', () => {
    const usage = usageOf(process.pid)
    expect(usage.residentBytes).toBeGreaterThan(10_000_000)
    expect(usage.cpuSeconds).toBeGreaterThan(0)
  })
})
