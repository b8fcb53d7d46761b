/** What an answer means for the audit: a tool that failed is an answer too. */
import { isObject } from '../foundation/json.ts'
import type { AnswerSummary } from '../upstreams/index.ts'

/** Of a result that was read whole. */
export function outcomeOf(result: unknown): 'ok' | 'tool_error' | 'input_required' {
  if (!isObject(result)) return 'ok'
  if (result.isError === true) return 'tool_error'
  return result.resultType === 'input_required' ? 'input_required' : 'ok'
}

/** Of an answer that passed in pieces. */
export function outcomeOfPassed({
  error,
  isError,
  resultType,
}: AnswerSummary): ReturnType<typeof outcomeOf> | 'error' {
  return error === null ? outcomeOf({ isError, resultType }) : 'error'
}
