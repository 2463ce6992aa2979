import type { MachineTest, TestReport, TestStep } from '../../offload/reports.js'
import { identity } from './machines-report.js'
import type { Style } from './style.js'

export function passed({ steps }: MachineTest): boolean {
  return steps.length > 0 && steps.every(({ outcome }) => outcome === 'ok')
}

/** One line for each machine; the failing step with its cure, or what is worth knowing of a sound one. */
export function testLines({ machines }: TestReport, style: Style): string[] {
  return machines.flatMap((test) => [
    `${style.strong(`${test.machine.name}:${test.machine.port}`)}: ${passed(test) ? sound(test, style) : broken(test, style)}`,
    ...test.warnings.map((warning) => `  warning: ${warning}`),
  ])
}

/** Times in seconds. */
export function testJson({ machines }: TestReport): unknown[] {
  return machines.map((test) => ({
    ...identity(test.machine),
    ok: passed(test),
    warnings: test.warnings,
    steps: test.steps.map(({ step, outcome, detail, ms, problem }) => ({
      step,
      outcome,
      detail: detail ?? null,
      seconds: ms === undefined ? null : ms / 1000,
      error: problem === undefined ? null : { code: problem.code, message: problem.message, cure: problem.cure ?? null },
    })),
  }))
}

function sound({ steps }: MachineTest, style: Style): string {
  const seconds = steps.reduce((sum, { ms }) => sum + (ms ?? 0), 0) / 1000
  const details = steps.flatMap(({ step, detail }) => (detail === undefined ? [] : [`${step} ${detail}`]))
  return `${style.good('ok')} in ${seconds.toFixed(1)} s${details.length === 0 ? '' : ` (${details.join('; ')})`}`
}

function broken(test: MachineTest, style: Style): string {
  const failing: TestStep | undefined = test.steps.find(({ outcome }) => outcome === 'failed')
  if (failing === undefined) return style.bad('not tested')
  const message = withoutName(failing.problem?.message ?? failing.detail ?? 'no reason given', test)
  return `${style.bad(`failed at ${failing.step}`)}: ${message}`
}

/** The line starts with the machine's name: the message need not. */
export function withoutName(message: string, { machine }: Pick<MachineTest, 'machine'>): string {
  const prefix = [`${machine.name}:${machine.port}: `, `${machine.name}: `].find((name) => message.startsWith(name))
  return prefix === undefined ? message : message.slice(prefix.length)
}
