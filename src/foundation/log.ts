import { type Logger, pino } from 'pino'

/** Structured log to stderr, so that stdout stays free for command output. Errors are logged, calls are not: the audit is their record. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export function openLog(level: LogLevel): Log {
  return pino(
    {
      level,
      base: null,
      redact: {
        paths: ['authorization', '*.authorization', 'token', '*.token', 'secret', '*.secret'],
        censor: '[secret]',
      },
    },
    pino.destination({ dest: 2, sync: true }),
  )
}

export const silentLog: Log = openLog('silent')
