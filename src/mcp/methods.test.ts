import { expect, it } from 'vitest'
import { clientNotifications, methods, serverRequests } from './methods.ts'

it('has these methods, and a change of them is a change of what clients may do', () => {
  const rows = [...methods].map(([method, { eras, shape, action, subject, list }]) =>
    [method, eras, shape, action, subject ?? list ?? '-'].join(' '),
  )
  expect(rows).toEqual([
    'server/discover stateless discover server.use -',
    'ping session ping server.use -',
    'logging/setLevel session call server.use -',
    'tools/list both list tool.list tools',
    'tools/call both call tool.call name',
    'resources/list both list resource.list resources',
    'resources/templates/list both list resource.list resourceTemplates',
    'resources/read both call resource.read uri',
    'resources/directory/read both list resource.read uri',
    'resources/subscribe session call resource.read uri',
    'resources/unsubscribe session call resource.read uri',
    'prompts/list both list prompt.list prompts',
    'prompts/get both call prompt.get name',
    'completion/complete both call prompt.get ref',
    'subscriptions/listen stateless listen server.use -',
    'skills/list both list resource.list skills',
    'skills/get both call resource.read uri',
    'tasks/get both call tool.call task',
    'tasks/update stateless call tool.call task',
    'tasks/cancel both call tool.call task',
    'tasks/result session call tool.call task',
    'tasks/list session list tool.list tasks',
  ])
  expect([...clientNotifications]).toEqual([
    'notifications/initialized',
    'notifications/cancelled',
    'notifications/progress',
    'notifications/roots/list_changed',
  ])
  expect([...serverRequests]).toEqual(['sampling/createMessage', 'elicitation/create', 'roots/list', 'ping'])
})
