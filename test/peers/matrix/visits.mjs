/**
 * What the client programs of the interop matrix have in common. Each reads a plan from stdin, visits every server of it and tries
 * every feature of it, and prints one line of JSON for each. The programs differ in `connect` alone: how their library does it.
 *
 * `connect({ url, token, elicit, sample })` gives a peer: `tools()` (names), `call(name, args, { signal, onProgress })` (text),
 * and where the library offers it `read(uri)` and `prompt(name, args)` (text); `close()`.
 */
import { text } from 'node:stream/consumers'
import { clearTimeout, setTimeout as startTimer } from 'node:timers'
import { setTimeout } from 'node:timers/promises'

const PATIENCE_MS = 30_000
const BEFORE_CANCELLING_MS = 700

/** `offers` are the features for which the library has an API. */
export async function visitAll({ connect, offers }) {
  const { visits, trials } = JSON.parse(await text(process.stdin))
  for (const one of visits) print(await visit(connect, one))
  for (const one of trials) {
    const { server, feature } = one
    if (!offers.includes(feature))
      print({ server, feature, offered: false, text: null, seen: 0, error: null })
    else print({ server, feature, offered: true, ...(await attempt(connect, one)) })
  }
  process.exit(0)
}

async function visit(connect, { server, url, token, tool, arguments: args }) {
  const found = { server, connected: false, tools: null, text: null, error: null }
  await during(
    found,
    () => connect({ url, token }),
    async peer => {
      found.connected = true
      found.tools = await within(peer.tools())
      found.text = await within(peer.call(tool, args, {}))
    },
  )
  return found
}

async function attempt(connect, { url, token, feature, subject, arguments: args, answer }) {
  const found = { text: null, seen: 0, error: null }
  const asked = reply => () => {
    found.seen++
    return reply
  }
  const abilities = {
    ...(feature === 'elicitation' && { elicit: asked(answer) }),
    ...(feature === 'sampling' && { sample: asked(answer) }),
  }
  await during(
    found,
    () => connect({ url, token, ...abilities }),
    async peer => {
      // Some libraries call only tools that they have listed.
      if (feature !== 'resources' && feature !== 'prompts') await within(peer.tools())
      if (feature === 'resources') found.text = await within(peer.read(subject))
      else if (feature === 'prompts') found.text = await within(peer.prompt(subject, args))
      else if (feature === 'cancellation') found.text = await cancelled(peer, subject, args)
      else
        found.text = await within(
          peer.call(subject, args, feature === 'progress' ? { onProgress: () => found.seen++ } : {}),
        )
    },
  )
  return found
}

/** Closes a little later, as an application that goes on would: some libraries say that a call is cancelled without waiting for it. */
async function cancelled(peer, subject, args) {
  try {
    return await within(peer.call(subject, args, { signal: AbortSignal.timeout(BEFORE_CANCELLING_MS) }))
  } finally {
    await setTimeout(BEFORE_CANCELLING_MS)
  }
}

async function during(found, open, use) {
  let peer
  try {
    peer = await within(open())
    await use(peer)
  } catch (error) {
    found.error = wordsOf(error)
  }
  try {
    await within(peer?.close())
  } catch (error) {
    found.error ??= `while closing: ${wordsOf(error)}`
  }
}

function wordsOf(error) {
  const causes = [error, error?.cause].filter(one => one !== undefined)
  return causes
    .map(one => String(one?.message ?? one))
    .join(': ')
    .slice(0, 2_000)
}

async function within(work) {
  let timer
  const late = new Promise((_, reject) => {
    timer = startTimer(() => reject(new Error(`no answer within ${PATIENCE_MS / 1000} s`)), PATIENCE_MS)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function print(found) {
  process.stdout.write(`${JSON.stringify(found)}\n`)
}

/** The text blocks of a tool result or of the contents of a resource. */
export function textOf(blocks) {
  return (blocks ?? []).flatMap(block => (typeof block.text === 'string' ? [block.text] : [])).join('\n')
}

/** The texts of a prompt's messages. */
export function textOfMessages({ messages }) {
  return textOf(messages.map(message => message.content))
}
