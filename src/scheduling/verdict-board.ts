import type { BuildMachine } from '../plugin-api/index.js'
import { verdictStanding, type Verdict, type VerdictCode } from './verdict.js'

/** The verdicts of one selection: at most one for each machine, the last one counts, in the order of the machines. */
export class VerdictBoard {
  readonly #verdicts = new Map<BuildMachine, Verdict>()

  constructor(readonly machines: readonly BuildMachine[]) {}

  put(verdict: Verdict): void {
    this.#verdicts.set(verdict.machine, verdict)
  }

  /** Keeps the reason. */
  change(machine: BuildMachine, code: VerdictCode): void {
    const verdict = this.#verdicts.get(machine)
    if (verdict !== undefined) this.put({ ...verdict, code })
  }

  /** For those that have none yet. */
  fill(make: (machine: BuildMachine) => Verdict): void {
    for (const machine of this.machines) if (!this.#verdicts.has(machine)) this.put(make(machine))
  }

  /** What it comes to if none was chosen of those that are suited. */
  withoutChoice(): 'busy' | 'disabled' | 'unreachable' {
    const verdicts = [...this.#verdicts.values()].filter(({ code }) => code !== 'unsuited')
    if (verdicts.some(({ code }) => verdictStanding(code) === 'busy')) return 'busy'
    return verdicts.every(({ code }) => code === 'disabled') ? 'disabled' : 'unreachable'
  }

  list(): Verdict[] {
    return this.machines.flatMap((machine) => this.#verdicts.get(machine) ?? [])
  }
}
