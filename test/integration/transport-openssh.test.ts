/** Builds that go through the system's ssh: straight, through a jump host, from a master whose daemon is unprivileged, and to Guix 1.2.0. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Farm, installHook, hookInMachine, startFarm } from '../support/farm.js'
import { contentsComplaints, expectNothingLeft, factsOf, listingOf } from '../support/store-facts.js'
import { buildDerivation, type DerivationSpec } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'

let farm: Farm
let master: Machine
let unprivileged: Machine

beforeAll(async () => {
  farm = await startFarm({
    name: 'openssh',
    master: { daemon: 'unprivileged' },
    builders: [
      { name: 'builder', fields: { features: ['near'], parallelBuilds: 4 } },
      { name: 'old', guix: '1.2.0', fields: { features: ['old'] } },
      { name: 'hidden', fields: { features: ['hidden'] } },
      // Its guix-daemon is reached by a bridge.
      { name: 'strict', fields: { features: ['strict'] }, sshd: { config: ['AllowStreamLocalForwarding no'] } },
    ],
  })
  unprivileged = farm.master
  master = await farm.bed.machine({ name: 'root-master', maxJobs: 0, hook: hookInMachine, daemon: 'root' })
  await installHook(master)
  for (const builder of farm.builders) await farm.bed.authorize(master, builder)
  await writeMachinesScm(master, farm.builders.map((builder) => [builder, { features: [builder.name === 'builder' ? 'near' : builder.name], parallelBuilds: 4 }] as const))
  const gate = farm.builder('builder')
  for (const machine of [master, unprivileged]) {
    await machine.writeFile('/etc/ssh/ssh_known_hosts', `${gate.address} ${gate.hostKey}\n`)
    await machine.writeFile('/etc/guix/offload.yaml', `transport: openssh\nmachines:\n  hidden: { proxyJump: root@${gate.address} }\n`)
  }
})

beforeEach(() => farm.forgetFailures())
afterAll(() => farm.bed.down())

/** Command lines of ssh; a jump host takes one more. */
const sshProcesses = async (machine: Machine): Promise<string[]> => (await machine.processes()).map(({ command }) => command.join(' ')).filter((command) => /^(?:\/\S*)?ssh /.test(command))

const spec = (feature: string): DerivationSpec => ({
  name: `through-ssh-${feature}`,
  features: [feature],
  outputs: ['out', 'lib'],
  inputs: { INPUT: { name: 'input', localBuild: true, script: 'mkdir $out; head -c 300000 /dev/zero > $out/zeros; echo $out > $out/self' } },
  script: 'echo "the builder speaks" >&2; mkdir $out $lib; echo $INPUT $lib > $out/references; cp $INPUT/zeros $lib/; echo $lib > $lib/self',
})

describe.each(['unprivileged', 'root'] as const)('from a master whose daemon runs as %s', (kind) => {
  const from = (): Machine => (kind === 'root' ? master : unprivileged)

  it.each(['near', 'old', 'hidden', 'strict'])('builds on the machine %s', async (feature) => {
    const machine = from()
    const { built, outputs: paths, log, failure } = await buildDerivation(machine, spec(feature))
    expect(failure === undefined ? '' : log).toBe('')
    expect(built).toBe(true)
    expect(log).toContain('the builder speaks')
    expect(log).toMatch(/offloading '.*through-ssh-.*' to /)
    const outputs = Object.values(paths)
    const builder = farm.builder(feature === 'near' ? 'builder' : feature)
    const [here, there] = await Promise.all([factsOf(machine, outputs), factsOf(builder, outputs)])
    expect(here.map(({ hash, references }) => ({ hash, references }))).toEqual(there.map(({ hash, references }) => ({ hash, references })))
    expect(await listingOf(machine, outputs[0] ?? '')).toEqual(await listingOf(builder, outputs[0] ?? ''))
    await expectNothingLeft(machine)
  })

  it('logs in once for many builds', async () => {
    const machine = from()
    const logins = async (): Promise<number> => (await farm.builder('builder').serviceLog('sshd')).match(/Accepted publickey/g)?.length ?? 0
    const before = await logins()
    const outcomes = await Promise.all(Array.from({ length: 4 }, (_, number) => buildDerivation(machine, { name: `many-${kind}-${number}`, features: ['near'], script: `echo ${number} > $out` })))
    expect(outcomes.map(({ failure }) => failure)).toEqual(outcomes.map(() => undefined))
    expect((await logins()) - before).toBeLessThanOrEqual(1)
    expect(await contentsComplaints(machine)).toEqual([])
  })

  it('keeps one ssh per machine for a while, in a folder of its own, and no other', async () => {
    const machine = from()
    const running = await sshProcesses(machine)
    expect(running.filter((command) => command.includes(' -M '))).toHaveLength(4)
    // The jump host takes one more.
    expect(running).toHaveLength(5)
    const folder = (await machine.sh('ls -d /var/guix/offload/ssh-*')).trim()
    expect(await machine.sh(`stat -c '%a %U' ${folder}`)).toContain(kind === 'root' ? '700 root' : '700 guix-daemon')
    expect((await machine.sh(`ls ${folder}`)).trim().split('\n').filter((name) => !/^[0-9a-f]{16}(\.json|\.lock)?$/.test(name))).toEqual([])
  })
})
