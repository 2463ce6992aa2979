/**
 * Our hook and the one that comes with Guix, side by side in one run: the same master, the same two build machines, the same derivations, in turn.
 * `npm run bench -- [ROUNDS]`. Prints medians and ratios; asserts nothing, since a machine that is busy with other things measures those.
 */
import { startFarm, hookInMachine, type Farm } from '../support/farm.js'
import { checkoutInMachine, nodeInMachine } from '../testbed/bed.js'
import { buildDerivations, type DerivationSpec } from '../testbed/derivations.js'

const rounds = Number(process.argv[2] ?? 3)
const stockHook = '/usr/bin/guix'

interface Case {
  readonly title: string
  readonly derivations: () => DerivationSpec[]
  /** Smaller numbers of rounds for what takes long. */
  readonly rounds?: number
}

const noop = (index = 0): DerivationSpec => ({ name: `noop-${index}`, script: 'echo ok > $out' })
const cases: readonly Case[] = [
  { title: 'one empty build', derivations: () => [noop()] },
  { title: '20 empty builds at once', derivations: () => Array.from({ length: 20 }, (_, index) => noop(index)), rounds: 1 },
  { title: 'an output of 256 MiB', derivations: () => [{ name: 'large', script: 'dd if=/dev/urandom of=$out bs=1048576 count=256' }], rounds: 1 },
  { title: '20,000 small files', derivations: () => [{ name: 'files', script: 'mkdir $out; i=0; while [ $i -lt 20000 ]; do echo $i > $out/$i; i=$((i+1)); done' }], rounds: 1 },
]

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN

async function useHook(farm: Farm, hook: string): Promise<void> {
  farm.master.daemon.configure({ hook, maxJobs: 0 })
  await farm.master.daemon.restart()
}

async function timed(farm: Farm, derivations: DerivationSpec[]): Promise<number> {
  const outcome = await buildDerivations(farm.master, derivations)
  if (outcome.failure !== undefined) throw new Error(`${outcome.failure.message}\n${outcome.log}`)
  return outcome.milliseconds / 1000
}

await using farm = await startFarm({ name: 'bench', builders: [{ name: 'one' }, { name: 'two' }], fields: { parallelBuilds: 4, privateKey: '/root/.ssh/id_rsa' } })
await farm.master.installUserKey({ type: 'rsa' })
await farm.master.installUserKey({ type: 'ed25519' })
const hooks = { ours: hookInMachine, stock: stockHook } as const

/** `guix repl` and the derivation alone take this long; it is part of every figure. */
async function baseline(): Promise<number> {
  const samples: number[] = []
  for (let round = 0; round < 3; round += 1) {
    const outcome = await buildDerivations(farm.builder('one'), [noop()], { offload: false })
    samples.push(outcome.milliseconds / 1000)
  }
  return median(samples)
}

for (const hook of Object.values(hooks)) {
  await useHook(farm, hook)
  await timed(farm, [noop()]) // the first one sends the tools
}
const base = await baseline()
console.log(`client and an empty local build: ${base.toFixed(2)} s, contained in all figures\n`)
console.log('case                          ours      stock    stock/ours')
for (const { title, derivations, rounds: own = rounds } of cases) {
  const seconds = { ours: [] as number[], stock: [] as number[] }
  for (let round = 0; round < own; round += 1) {
    for (const name of ['ours', 'stock'] as const) {
      await useHook(farm, hooks[name])
      seconds[name].push(await timed(farm, derivations()))
    }
  }
  const [ours, stock] = [median(seconds.ours), median(seconds.stock)]
  console.log(`${title.padEnd(26)} ${ours.toFixed(2).padStart(6)} s  ${stock.toFixed(2).padStart(6)} s  ${((stock - base) / (ours - base)).toFixed(1).padStart(8)} (without the client's part)`)
}
console.log('\nstatus of two machines:')
for (let round = 0; round < rounds; round += 1) {
  const run = async (words: string[]): Promise<number> => {
    const started = performance.now()
    await farm.master.run(words)
    return (performance.now() - started) / 1000
  }
  console.log(`  ours ${(await run([nodeInMachine, `${checkoutInMachine}/bin/run.js`, 'status'])).toFixed(2)} s, stock ${(await run(['guix', 'offload', 'status'])).toFixed(2)} s`)
}
