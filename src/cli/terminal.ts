/** What a command writes: answers to stdout, everything else to stderr; colours and movement only where a person looks. */
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

export type Terminal = {
  /** Does a person see stdout? */
  readonly isInteractive: boolean
  /** One line of the answer. */
  line(text?: string): void
  /** One line beside the answer, on stderr. */
  note(text: string): void
  /** Text in a style, or plain where styles are not wanted (NO_COLOR, no TTY). */
  paint(style: Style, text: string): string
  /** Waits for work; after a second a person sees what is being done, after five with a bar. */
  working<T>(doing: string, work: Promise<T>): Promise<T>
}

export function openTerminal(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): Terminal {
  return {
    isInteractive: stdout.isTTY === true,
    line: (text = '') => void stdout.write(`${text}\n`),
    note: text => void stderr.write(`${text}\n`),
    paint: (style, text) => styleText(style, text, { stream: stdout }),
    working: (doing, work) => (stderr.isTTY ? shown(stderr, doing, work) : work),
  }
}

async function shown<T>(stderr: NodeJS.WriteStream, doing: string, work: Promise<T>): Promise<T> {
  const startedAt = performance.now()
  let tick = 0
  const timer = setInterval(() => {
    const seconds = Math.floor((performance.now() - startedAt) / 1000)
    if (seconds >= 1) stderr.write(`\r\u001b[2K${sign(tick++, seconds)} ${doing} (${seconds} s)`)
  }, 100)
  try {
    return await work
  } finally {
    clearInterval(timer)
    if (tick > 0) stderr.write('\r\u001b[2K')
  }
}

const spinner = ['|', '/', '-', '\\']
const barWidth = 20

/** Nobody knows how long the work takes, so the bar moves instead of filling. */
function sign(tick: number, seconds: number): string {
  if (seconds < 5) return spinner[tick % spinner.length] ?? ''
  const at = tick % barWidth
  return `[${' '.repeat(at)}=${' '.repeat(barWidth - 1 - at)}]`
}
