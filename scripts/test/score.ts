/** What a stage counted. A stage that fails without a failed test counts as one failure. */
export type Score = { readonly passed: number; readonly failed: number }

export const nothing: Score = { passed: 0, failed: 0 }

export function plus(one: Score, other: Score): Score {
  return { passed: one.passed + other.passed, failed: one.failed + other.failed }
}

/** The counts of a program, and its exit code: a failure that it did not count is one all the same. */
export function judged(counted: Score, exitCode: number): Score {
  return exitCode !== 0 && counted.failed === 0 ? { ...counted, failed: 1 } : counted
}

/** The counts in a JSON report of Vitest. A test that did not run has not passed. */
export function vitestScore(report: unknown): Score {
  const { numTotalTests, numPassedTests } = report as { numTotalTests: number; numPassedTests: number }
  return { passed: numPassedTests, failed: numTotalTests - numPassedTests }
}

/** The failed tests of a JSON report of Vitest: where each stands, its name and the first lines of why. */
export function vitestFailures(report: unknown): string[] {
  const { testResults } = report as VitestReport
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === 'failed')
    const tests = failed.map(({ fullName, failureMessages }) =>
      [`${name}: ${fullName}`, ...failureMessages.map(firstLines)].join('\n'),
    )
    // Without a failed test it is the file itself: a hook, or an import.
    return message === '' ? tests : [...tests, `${name}\n${firstLines(message)}`]
  })
}

type VitestReport = {
  readonly testResults: readonly {
    readonly name: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly status: string
      readonly fullName: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

const TOLD_LINES = 12
const TOLD_CHARACTERS = 1500

function firstLines(text: string): string {
  return text
    .slice(0, TOLD_CHARACTERS)
    .split('\n')
    .slice(0, TOLD_LINES)
    .map(line => `    ${line}`)
    .join('\n')
}

/** The counts in what the conformance run prints: `  30/30 required scenarios passed`, once for each revision. */
export function conformanceScore(printed: string): Score {
  const lines = [...printed.matchAll(/^ *(\d+)\/(\d+) required scenarios passed$/gm)]
  return lines
    .map(([, passed, required]) => ({
      passed: Number(passed),
      failed: Math.max(0, Number(required) - Number(passed)),
    }))
    .reduce(plus, nothing)
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
