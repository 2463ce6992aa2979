import type { SchedulingStrategy } from '../../../src/plugin-api/index.js'
import type { NamedScenario } from './scenarios.js'
import { type Outcome, simulate } from './simulation.js'

/** Prints, for each scenario, what became of it under each strategy: means over the seeds 1 to `seeds`. */
export async function report(scenarios: readonly NamedScenario[], strategies: readonly SchedulingStrategy[], seeds: number): Promise<void> {
  const started = performance.now()
  for (const scenario of scenarios) {
    console.info(`\n${scenario.name}`)
    console.info(row(['', 'makespan', 'turnaround', 'sent', 'waiting: mean', '1 in 20 over', 'deciding', 'lost', 'given up']))
    for (const strategy of strategies) console.info(row(cells(strategy.name, await outcomes(scenario, strategy, seeds))))
  }
  console.info(`\nmeans of ${seeds} runs each; ${((performance.now() - started) / 1000).toFixed(0)} s`)
}

export async function outcomes({ graph, machines, bytesPerSecond }: NamedScenario, strategy: SchedulingStrategy, seeds: number): Promise<Outcome[]> {
  const results: Outcome[] = []
  for (let seed = 1; seed <= seeds; seed += 1) {
    results.push(await simulate({ graph: await graph(seed), machines: machines(seed), strategy, seed, bytesPerSecond }))
  }
  return results
}

function cells(name: string, results: readonly Outcome[]): string[] {
  const mean = (figure: (outcome: Outcome) => number): number => results.reduce((sum, outcome) => sum + figure(outcome), 0) / results.length
  return [
    name,
    duration(mean(({ makespan }) => makespan)),
    `${mean(({ turnaround }) => turnaround).toFixed(0)} s`,
    `${(mean(({ bytesSent }) => bytesSent) / 2 ** 30).toFixed(1)} GiB`,
    `${mean(({ waiting }) => waiting.mean).toFixed(1)} s`,
    `${mean(({ waiting }) => waiting.worst).toFixed(0)} s`,
    `${mean(({ deciding }) => deciding).toFixed(2)} s`,
    mean(({ lost }) => lost).toFixed(0),
    mean(({ givenUp }) => givenUp).toFixed(0),
  ]
}

function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60)
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

function row([name = '', ...figures]: readonly string[]): string {
  return `  ${name.padEnd(14)}${figures.map((figure) => figure.padStart(15)).join('')}`
}
