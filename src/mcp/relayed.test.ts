import { expect, it } from 'vitest'
import { methods } from './methods.ts'
import { coreTasks, isOptional, relayedCapabilities, relayedExtensions } from './relayed.ts'

const ui = { 'io.modelcontextprotocol/ui': { mimeTypes: ['a'] } }
const skills = { 'io.modelcontextprotocol/skills': { directoryRead: true } }
const tasks = { 'io.modelcontextprotocol/tasks': {} }
const vendor = { 'com.example/own': {} }
const core = { list: {}, cancel: {}, requests: { tools: { call: {} } } }

type Given = Parameters<typeof relayedCapabilities>

it.each<[Given[0], Given[1]['era'], Given[1]['of'], unknown]>([
  [undefined, 'stateless', 'server', undefined],
  [{ tools: {}, x: 1 }, 'stateless', 'server', undefined],
  [{ extensions: { ...ui, ...skills, ...tasks } }, 'stateless', 'server', undefined],
  [{ extensions: { ...ui, ...skills, ...tasks } }, 'stateless', 'client', undefined],
  [{ x: 1, extensions: { ...ui, ...vendor } }, 'stateless', 'server', { x: 1, extensions: ui }],
  [{ extensions: { ...ui, ...vendor } }, 'session', 'client', { extensions: ui }],
  [{ extensions: vendor }, 'session', 'server', {}],
  [{ extensions: { ...skills, ...tasks } }, 'session', 'server', { extensions: skills }],
  [{ tools: {}, tasks: core }, 'session', 'server', { tools: {}, tasks: core }],
  [{ tasks: core }, 'session', 'client', {}],
  [{ tasks: core }, 'stateless', 'server', {}],
  [
    { tasks: { requests: { tools: { call: {}, list: {} }, prompts: { get: {} } }, odd: 1 } },
    'session',
    'server',
    { tasks: { requests: { tools: { call: {} } } } },
  ],
])('of %j, in the %s era, a %s is said to have %j', (given, era, of, expected) => {
  expect(relayedCapabilities(given, { era, of, isCrossed: false })).toEqual(expected)
})

it('advertises nothing but the core where the eras differ', () => {
  for (const era of ['session', 'stateless'] as const) {
    for (const of of ['client', 'server'] as const) {
      const given = { tools: {}, tasks: core, extensions: { ...ui, ...skills, ...tasks, ...vendor } }
      expect(relayedCapabilities(given, { era, of, isCrossed: true })).toEqual({ tools: {} })
    }
  }
})

it('has a row for every method of what is relayed, in its era', () => {
  for (const { era, methods: brought } of [...relayedExtensions.values(), coreTasks]) {
    for (const method of brought) {
      const rows = methods.get(method)?.eras
      expect([method, rows === 'both' || rows === era]).toEqual([method, true])
      expect(isOptional(method)).toBe(true)
    }
  }
  expect(isOptional('tools/call')).toBe(false)
})
