import { expect, it } from 'vitest'
import { checkUrl } from './url-policy.ts'

it.each([
  'https://user:pw@mcp.example.com/mcp',
  'https://user@mcp.example.com/mcp',
  'https://mcp.example.com/mcp#part',
  'https://mcp.example.com/mcp#',
  'https://mcp.example.com/mcp?api_key=abc',
  'https://mcp.example.com/mcp?x=1&ACCESS_TOKEN=abc',
  'https://mcp.example.com/mcp?q=eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.',
  'https://mcp.example.com/mcp?q=ghp_0123456789abcdef0123456789',
  `https://mcp.example.com/\${env:TENANT}/mcp`,
  'https://',
])('refuses %s', url => {
  expect(() => checkUrl(url)).toThrow(expect.objectContaining({ code: 'upstream.address_refused' }))
})

it.each([
  'http://localhost:3001/mcp',
  'https://mcp.example.com/mcp?tenant=42&author=ana&max_tokens=100',
  'https://mcp.example.com/mcp?workspace=550e8400-e29b-41d4-a716-446655440000',
])('takes %s', url => {
  expect(() => checkUrl(url)).not.toThrow()
})
