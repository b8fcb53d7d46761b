import { expect, it } from 'vitest'
import { oneAtATime } from './one-at-a-time.ts'

function gate() {
  const open: (() => void)[] = []
  let runs = 0
  const run = oneAtATime(async () => {
    runs++
    await new Promise<void>(resolve => open.push(resolve))
  })
  return { run, open, runs: () => runs }
}

it('shares one further run among all who come during a run', async () => {
  const { run, open, runs } = gate()
  const first = run()
  const second = run()
  expect(run()).toBe(second)
  expect(runs()).toBe(1)
  open.shift()?.()
  await first
  await Promise.resolve()
  expect(runs()).toBe(2)
  open.shift()?.()
  await second
  expect(runs()).toBe(2)
})

it('runs again after a failure, which only its own callers see', async () => {
  let runs = 0
  const run = oneAtATime(async () => {
    if (++runs === 1) throw new Error('no')
  })
  const first = run()
  const second = run()
  await expect(first).rejects.toThrow('no')
  await second
  expect(runs).toBe(2)
})

it('never runs twice at the same time, however calls and ends interleave', async () => {
  let running = 0
  let most = 0
  const run = oneAtATime(async () => {
    most = Math.max(most, ++running)
    await Promise.resolve()
    running--
  })
  const asked: Promise<void>[] = []
  for (let i = 0; i < 50; i++) {
    asked.push(run())
    await Promise.resolve()
  }
  await Promise.all(asked)
  expect(most).toBe(1)
})
