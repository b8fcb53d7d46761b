const newline = 0x0a
const nothing = Buffer.alloc(0)

export type LineEvents = {
  /** One line without its newline. The bytes stay as they are; whoever keeps them long copies them, for they hold the whole read alive. */
  line(line: Buffer): void
  /** A line went over the maximum. Nothing is delivered after this. */
  tooLong(): void
}

/** Cuts a stream of bytes into lines. A line that came in one read is a view of it; only a line in pieces is copied. */
export function openLines(maximum: number, events: LineEvents): (chunk: Buffer) => void {
  let held = nothing
  let length = 0
  let isOver = false

  // Doubling keeps a line that drips in byte by byte as cheap as one that comes at once.
  function hold(part: Buffer): void {
    if (length + part.length > held.length) {
      const grown = Buffer.allocUnsafe(2 * (length + part.length))
      held.copy(grown, 0, 0, length)
      held = grown
    }
    part.copy(held, length)
    length += part.length
  }

  function complete(part: Buffer): Buffer {
    if (length === 0) return part
    hold(part)
    const line = held.subarray(0, length)
    held = nothing
    length = 0
    return line
  }

  return chunk => {
    for (let from = 0; from < chunk.length && !isOver; ) {
      const at = chunk.indexOf(newline, from)
      const part = chunk.subarray(from, at < 0 ? chunk.length : at)
      if (length + part.length > maximum) {
        isOver = true
        held = nothing
        events.tooLong()
      } else if (at < 0) hold(part)
      else events.line(complete(part))
      from += part.length + 1
    }
  }
}

/**
 * A JSON text without line breaks: it has them only between its tokens, where a space means the same. CR counts, for
 * some readers end a line at it. Text that has none is given back as it is.
 */
export function onOneLine(json: Buffer | string): Buffer | string {
  if (typeof json === 'string') return json.replace(/[\r\n]/g, ' ')
  if (!json.includes('\n') && !json.includes('\r')) return json
  return Buffer.from(json.map(byte => (byte === 0x0a || byte === 0x0d ? 0x20 : byte)))
}
