/** The least that any server can do: a node:http server that sends the same answer to everybody, from memory, with the id of the request. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { firstId } from './calls.ts'
import { announcePort } from './child.ts'

const answer = readFileSync(process.argv[2] ?? '')
const id = String(firstId)
const idAt = answer.indexOf(id)
const before = answer.subarray(0, idAt)
const after = answer.subarray(idAt + id.length)

const server = createServer((request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const asked: { id: number } = JSON.parse(Buffer.concat(parts).toString())
    const given = Buffer.from(String(asked.id))
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length })
    response.cork()
    response.write(before)
    response.write(given)
    response.end(after)
    response.uncork()
  })
})

announcePort(server)
