/**
 * How the weights of the strategies were chosen: each of them changed alone, everything else as it is, over all scenarios. `npx tsx test/bench/simulate/weights.ts [--seeds N] [--only NAME]`
 * Prints makespan, turnaround and bytes sent by those under the strategy `guix` with the same graphs, machines and seeds: geometric means, less is better.
 */
import { parseArgs } from 'node:util'
import { guixStrategy } from '../../../plugins/scheduler-guix/src/guix-strategy.js'
import { defaultWeights as leastLoadedWeights, leastLoaded } from '../../../plugins/scheduler-least-loaded/src/least-loaded-strategy.js'
import { defaultWeights as localityWeights, locality } from '../../../plugins/scheduler-locality/src/locality-strategy.js'
import type { SchedulingStrategy } from '../../../src/plugin-api/index.js'
import { outcomes } from './report.js'
import { type NamedScenario, scenarios } from './scenarios.js'
import type { Outcome } from './simulation.js'

const share = { floor: [0.05, 0.1, 0.2], processors: [0, 0.5, 1], slots: [0, 0.25, 0.5, 1] }
const alternatives = {
  'least-loaded': share,
  locality: { ...share, transfer: [0, 0.5, 1, 2, 4] },
} as const

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '3' }, only: { type: 'string' } } })
const seeds = Number(values.seeds)
/** Three machines are busy all the time, whoever chooses. */
const all = scenarios().filter(({ name }) => !name.includes(' 3 machines'))
const reference = new Map<NamedScenario, readonly Outcome[]>()
for (const scenario of all) reference.set(scenario, await outcomes(scenario, guixStrategy, seeds))

if (values.only !== 'locality') await vary('least-loaded', leastLoadedWeights, leastLoaded)
if (values.only !== 'least-loaded') await vary('locality', localityWeights, locality)

async function vary<W extends object>(name: keyof typeof alternatives, usual: W, make: (weights: W) => SchedulingStrategy): Promise<void> {
  console.info(`${name} ${JSON.stringify(usual)}`)
  console.info(`  ${'as it is'.padEnd(28)}${await compared(make(usual))}`)
  for (const [weight, choices] of Object.entries(alternatives[name])) {
    for (const value of choices) {
      if ((usual as Record<string, unknown>)[weight] === value) continue
      console.info(`  ${`${weight} ${value}`.padEnd(28)}${await compared(make({ ...usual, [weight]: value }))}`)
    }
  }
}

async function compared(strategy: SchedulingStrategy): Promise<string> {
  const logarithms = { makespan: 0, turnaround: 0, bytes: 0 }
  let runs = 0
  for (const scenario of all) {
    for (const [index, outcome] of (await outcomes(scenario, strategy, seeds)).entries()) {
      const usual = reference.get(scenario)?.[index]
      if (usual === undefined) continue
      logarithms.makespan += Math.log(outcome.makespan / usual.makespan)
      logarithms.turnaround += Math.log(outcome.turnaround / usual.turnaround)
      logarithms.bytes += Math.log(outcome.bytesSent / usual.bytesSent)
      runs += 1
    }
  }
  const mean = (logarithm: number): string => Math.exp(logarithm / runs).toFixed(3)
  return `makespan ${mean(logarithms.makespan)}   turnaround ${mean(logarithms.turnaround)}   sent ${mean(logarithms.bytes)}`
}
