/** Severities of RFC 5424, quietest threshold last (MCP 2026-07-28, server/utilities/logging). */
const levels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

export function isLogLevel(level: unknown): level is string {
  return typeof level === 'string' && levels.includes(level)
}

/** Does a threshold let more through than the present one? Without a present one anything does. */
export function isLouder(level: string, present: string | undefined): boolean {
  return present === undefined || levels.indexOf(level) < levels.indexOf(present)
}

/** Is a message of this level one that the threshold lets through? */
export function passes(level: unknown, threshold: string): boolean {
  return isLogLevel(level) && levels.indexOf(level) >= levels.indexOf(threshold)
}
