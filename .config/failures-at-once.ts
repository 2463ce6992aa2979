/** Tells why a test failed as soon as it has: vitest's own reporter keeps that for the end, and a run of everything may never get there. */
import type { Reporter, TestCase } from 'vitest/node'

export default class FailuresAtOnce implements Reporter {
  onTestCaseResult(test: TestCase): void {
    for (const error of test.result().errors ?? []) {
      process.stdout.write(`\nFAILED ${test.module.relativeModuleId} > ${test.fullName}\n${error.stack ?? error.message}\n${error.diff ?? ''}\n`)
    }
  }
}
