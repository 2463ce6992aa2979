/** Tells why a test failed as soon as it has: vitest's own reporter keeps that for the end, and a run of everything may never get there. */
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'

interface Failure {
  readonly message: string
  readonly stack?: string | undefined
  readonly diff?: string | undefined
}

function tell(name: string, failures: readonly Failure[]): void {
  for (const { stack, message, diff = '' } of failures) process.stdout.write(`\nFAILED ${name}\n${stack ?? message}\n${diff}\n`)
}

export default class FailuresAtOnce implements Reporter {
  onTestCaseResult(test: TestCase): void {
    tell(`${test.module.relativeModuleId} > ${test.fullName}`, test.result().errors ?? [])
  }

  onTestSuiteResult(suite: TestSuite): void {
    tell(`${suite.module.relativeModuleId} > ${suite.fullName}`, suite.errors())
  }

  onTestModuleEnd(module: TestModule): void {
    tell(module.relativeModuleId, module.errors())
  }
}
