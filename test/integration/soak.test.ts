/**
 * Three hundred derivations that depend on each other, on four machines with three slots each, while machines die and come back at random; a sixth as many by transport
 * openssh, whose shared control masters die as well. The random numbers have a seed, and at most two machines are dead at a time. Everything is built, is what a machine
 * without the others builds, and nothing is left or has grown.
 */
import { readdir, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endControlMasters, killControlMaster } from '../support/control-masters.js'
import { type Farm, startFarm } from '../support/farm.js'
import { heldStoreLocks, leftOnMaster, servants, takenSlots } from '../support/leftovers.js'
import { daemonKilled, linkLost, type MachineFault, sshdKilled, sshdStopped } from '../support/machine-faults.js'
import { hookProcesses } from '../support/master-view.js'
import { contentsComplaints, factsOf } from '../support/store-facts.js'
import { buildDerivations, type DerivationSpec } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { waitFor } from '../testbed/wait.js'

const seed = Number(process.env.GUIX_OFFLOAD_SOAK_SEED ?? 20_261)
const fullCount = Number(process.env.GUIX_OFFLOAD_SOAK_COUNT ?? 300)
const names = ['b1', 'b2', 'b3', 'b4'] as const

let farm: Farm
let alone: Machine

/** mulberry32: small, and the same everywhere. */
const randomFrom = (start: number) => {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Each depends on up to three earlier ones, most often on some of the last forty; what it makes tells what it was made of. */
const graph = (random: () => number, count: number): DerivationSpec[] => {
  const all: DerivationSpec[] = []
  for (let index = 0; index < count; index += 1) {
    const inputs: Record<string, DerivationSpec> = {}
    for (let wantedInputs = Math.floor(random() * 4), n = 0; n < wantedInputs; n += 1) {
      const back = Math.ceil(random() * (random() < 0.8 ? Math.min(index, 40) : index))
      const input = all[index - back]
      if (input !== undefined && back > 0) inputs[`IN${n}`] = input
    }
    const words = Object.keys(inputs).map((name) => `echo $${name} >> $out/inputs; cat $${name}/number >> $out/numbers`)
    all.push({ name: `soak-${index}`, uniqueness: `soak ${seed}`, inputs, script: ['mkdir $out', `echo ${index} > $out/number`, ...words].join('; ') })
  }
  return all
}

interface Fault {
  readonly name: string
  /** Resolves to false if there was nothing to strike. */
  readonly strike: MachineFault['strike']
  /** Absent: the machine is none the worse for it. */
  readonly mend?: MachineFault['mend']
}
const cable: Fault = { name: 'cable', ...linkLost }
const masterKilled: Fault = {
  name: 'control master killed',
  async strike({ name }) {
    const inUse = async () => (await takenSlots(farm)).some((slot) => slot.includes(`/${name}:22/`))
    return (await waitFor(`${name} to be in use`, inUse, 2_000).catch(() => false)) && killControlMaster(farm.master, name)
  },
}

interface Soak {
  readonly transport: 'ssh2' | 'openssh'
  readonly count: number
  readonly faults: readonly Fault[]
  /** Builds from one fault or mending to the next: at least so many, and fewer than twice as many and two. */
  readonly pace: number
}

const soaks: readonly Soak[] = [
  { transport: 'ssh2', count: fullCount, faults: [cable, { name: 'sshd killed', ...sshdKilled }, { name: 'sshd stopped', ...sshdStopped }, { name: 'daemon killed', ...daemonKilled }], pace: 6 },
  { transport: 'openssh', count: Math.ceil(fullCount / 6), faults: [masterKilled, masterKilled, cable, masterKilled], pace: 1 },
]

/** Has machines die and come back until told to stop; then all of them live. Paced by the progress of the builds, so that it is as hard on a fast host as on a slow one. */
const trouble = (random: () => number, { faults, pace }: Soak, progress: () => number) => {
  const struck: string[] = []
  let stopped = false
  const running = (async () => {
    const dead: { readonly machine: Machine; readonly fault: Fault }[] = []
    const mend = async () => {
      const next = dead.shift()
      if (next !== undefined) await next.fault.mend?.(next.machine)
    }
    try {
      for (let last = 0; !stopped; ) {
        // A dead machine returns after some more builds, or after a while if the others make no progress.
        const waited = Date.now()
        const step = pace + Math.floor(random() * (pace + 2))
        await waitFor('progress', () => stopped || progress() >= last + step || Date.now() - waited > 8_000, 60_000)
        last = progress()
        if (stopped) break
        if (dead.length === 2 || (dead.length > 0 && random() < 0.5)) await mend()
        else {
          const living = names.map((name) => farm.builder(name)).filter((machine) => dead.every((other) => other.machine !== machine))
          const machine = living[Math.floor(random() * living.length)]
          const fault = faults[Math.floor(random() * faults.length)]
          if (machine === undefined || fault === undefined) continue
          if ((await fault.strike(machine)) === false) continue
          struck.push(`${machine.name}: ${fault.name}`)
          if (fault.mend !== undefined) dead.push({ machine, fault })
        }
      }
    } finally {
      while (dead.length > 0) await mend()
    }
  })()
  running.catch(() => undefined)
  return {
    struck,
    stop: () => {
      stopped = true
      return running
    },
  }
}

/** Open descriptors and resident memory of what lives as long as the farm. */
const sizeOf = async (pid: number) => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return { descriptors: (await readdir(`/proc/${pid}/fd`)).length, mebibytes: Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024 }
}

describe.each(soaks)('$count derivations by transport $transport', (soak) => {
  const { transport, count } = soak
  beforeAll(async () => {
    farm = await startFarm({ name: `soak-${transport}`, builders: names.map((name) => ({ name, fields: { parallelBuilds: 3 } })) })
    alone = await farm.bed.machine({ name: 'alone', daemon: 'root', maxJobs: 4 })
    await farm.master.writeFile('/etc/guix/offload.yaml', `transport: ${transport}\ntimeouts: { connect: 1s, handshake: 3s, keepAlive: 300ms, keepAliveMisses: 4, stall: 4s }\n`)
  })
  afterAll(() => farm[Symbol.asyncDispose]())

  it('are all built, on four machines that die and come back', async () => {
    const { master } = farm
    const random = randomFrom(seed)
    const wanted = graph(random, count)
    const before = await sizeOf(master.daemon.pid)
    const started = performance.now()
    let log = ''
    let done = 0
    const makingAlone = buildDerivations(alone, wanted, { offload: false })
    const faultsMeanwhile = trouble(random, soak, () => done)
    let rounds = 0
    let outcome
    try {
      // A machine that dies while its deputies are all dead or used up fails a build, as it has to; whoever builds it again gets it.
      do {
        rounds += 1
        outcome = await buildDerivations(master, wanted, {
          keepGoing: true,
          onLog(text) {
            log += text
            done = log.split("\ndone with offloaded '").length - 1
          },
        })
      } while (outcome.failure !== undefined && outcome.failure.status === 1 && rounds < 4)
    } finally {
      await faultsMeanwhile.stop()
    }
    const seconds = Math.round((performance.now() - started) / 1000)
    const history = await farm.history()
    const failed = history.filter(({ outcome: end }) => end === 'machine-failed')
    const codes = new Map<string, number>()
    for (const { error } of failed) {
      const { code } = error as { code: string }
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    const perMachine = names.map((name) => `${name} ${history.filter((entry) => entry['machine'] === `${name}:22` && entry['outcome'] === 'built').length}`)
    console.info(`${transport}, seed ${seed}: ${count} derivations in ${seconds} s and ${rounds} rounds; built by ${perMachine.join(', ')}; faults: ${faultsMeanwhile.struck.join(', ')}; machine failures: ${JSON.stringify(Object.fromEntries(codes))}`)

    // What machines are rarely blamed for deserves a look.
    for (const { machine, error } of failed.filter((entry) => (entry['error'] as { code: string }).code === 'daemon-refused')) console.info(`${String(machine)}: ${(error as { message: string }).message}`)

    expect(outcome.failure, log.slice(-4000)).toBeUndefined()
    expect(outcome.derivations.filter(({ built }) => !built)).toEqual([])
    expect(faultsMeanwhile.struck.length).toBeGreaterThan(count / 40)
    // No derivation was built twice with success, and none of them failed by itself.
    expect(history.filter(({ outcome: end }) => end === 'build-failed')).toEqual([])

    const made = await makingAlone
    expect(made.failure, made.log.slice(-4000)).toBeUndefined()
    const outputs = outcome.derivations.flatMap((derivation) => Object.values(derivation.outputs)).sort()
    expect(made.derivations.flatMap((derivation) => Object.values(derivation.outputs)).sort()).toEqual(outputs)
    expect(await factsOf(master, outputs)).toEqual(await factsOf(alone, outputs))

    if (transport === 'openssh') {
      const logins = await Promise.all(names.map(async (name) => (await farm.builder(name).sshd.log()).match(/Accepted publickey/g)?.length ?? 0))
      console.info(`logins: ${logins.join(', ')}`)
      expect(faultsMeanwhile.struck.join()).toContain(masterKilled.name)
      // Masters are replaced, and shared all the same.
      const total = logins.reduce((sum, each) => sum + each)
      expect(total).toBeGreaterThan(names.length)
      expect(total).toBeLessThan(history.length)
    }

    await waitFor('the hooks to be gone', async () => (await hookProcesses(master)).length === 0)
    await endControlMasters(master)
    expect(await takenSlots(farm)).toEqual([])
    expect(await heldStoreLocks(master)).toEqual([])
    expect(await leftOnMaster(farm)).toEqual([])
    for (const name of names) await waitFor(`${name} to be idle`, async () => (await servants(farm.builder(name))).length === 0, 60_000)
    expect(await contentsComplaints(master)).toEqual([])
    const after = await sizeOf(master.daemon.pid)
    console.info(`guix-daemon of the master: ${before.descriptors} descriptors and ${before.mebibytes.toFixed(1)} MiB before, ${after.descriptors} and ${after.mebibytes.toFixed(1)} after`)
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 2)
    expect(after.mebibytes).toBeLessThan(before.mebibytes + 32)
  }, 900_000)
})
