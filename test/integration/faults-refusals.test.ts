/**
 * Machines that refuse us, and machines that lack what a build needs, beside one that does not: the other one does it. How each of them ends a build that has nowhere else to
 * go, with the message and the cure: build-failures.test.ts and unreachable.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Farm } from '../support/farm.js'
import { expectBuilt, expectElsewhere, expectNothingLeftOf, runRow, startFaultFarm } from '../support/fault-matrix.js'
import { takenSlots } from '../support/leftovers.js'
import { buildersWith } from '../support/master-view.js'
import { buildDerivation, buildDerivations } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { signalProcess } from '../testbed/processes.js'
import { waitFor } from '../testbed/wait.js'

const nothing = async () => undefined

describe('a machine that refuses us', () => {
  let farm: Farm
  beforeAll(async () => {
    farm = await startFaultFarm({ name: 'refusals' })
  })
  afterAll(() => farm[Symbol.asyncDispose]())

  const newHostKey = async (b1: Machine) => {
    await b1.sh('cd /etc/ssh; cp ssh_host_ed25519_key ssh_host_ed25519_key.pub /root; rm ssh_host_ed25519_key*; ssh-keygen -q -N "" -t ed25519 -f ssh_host_ed25519_key')
    await b1.sshd.restart()
  }
  const oldHostKey = async (b1: Machine) => {
    await b1.sh('cp /root/ssh_host_ed25519_key /root/ssh_host_ed25519_key.pub /etc/ssh')
    await b1.sshd.restart()
  }
  const keysAway = (b1: Machine) => b1.sh('mv /root/.ssh/authorized_keys /root/.ssh/away')
  const keysBack = (b1: Machine) => b1.sh('mv /root/.ssh/away /root/.ssh/authorized_keys')
  const refusals = [
    ['its host key has changed', newHostKey, oldHostKey, /machine 'b1:22': .*host key.*expected .*seen .*\. \S/],
    ['it refuses the login', keysAway, keysBack, /machine 'b1:22': .*authenticating.*\. \S/],
  ] as const

  it.each(refusals)('%s: another one does the build', async (_fault, strike, mend) => {
    const seen = await runRow(farm, { phase: 'connect', strike, mend })
    await expectElsewhere(farm, seen, /./)
    await expectNothingLeftOf(farm, seen)
  })

  it.each(refusals)('%s, and there is no other: the user is told, and the build goes on once it is mended', async (_fault, strike, mend, words) => {
    const b1 = farm.builder('b1')
    await farm.forgetFailures()
    await strike(b1)
    let log = ''
    const building = buildDerivation(farm.master, { name: 'refused', script: 'echo > $out', features: ['alone'] }, { onLog: (text) => (log += text) })
    try {
      await waitFor('the message', () => words.test(log), 30_000).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${log}`)
      })
    } finally {
      await mend(b1)
      await farm.forgetFailures()
    }
    const { failure } = await building
    expect(failure, log).toBeUndefined()
    expect(await takenSlots(farm)).toEqual([])
  })

  it('it does not accept what we sign: another one does the build', async () => {
    const acl = await farm.builder('b1').readFile('/etc/guix/acl')
    const seen = await runRow(farm, {
      phase: 'send', mend: (b1) => b1.writeFile('/etc/guix/acl', `${acl}\n`),
      before: (b1) => b1.writeFile('/etc/guix/acl', '(acl)\n'),
    })
    await expectElsewhere(farm, seen, /^signing-key-not-authorized$/)
    await expectNothingLeftOf(farm, seen)
  })

  it('we do not accept what it signs: another one does the build, and nothing of the first enters the store', async () => {
    const acl = await farm.master.readFile('/etc/guix/acl')
    const key = /#([0-9A-F]+)#/.exec(farm.builder('b1').signingKey)?.[1] ?? ''
    expect(acl).toContain(key)
    const seen = await runRow(farm, {
      phase: 'build', mend: () => farm.master.writeFile('/etc/guix/acl', acl),
      before: () => farm.master.writeFile('/etc/guix/acl', acl.replace(key, '0'.repeat(key.length)), 0o644),
    })
    await expectElsewhere(farm, seen, /^unauthorized-key$/)
    await expectNothingLeftOf(farm, seen)
  })

  it('a builder there is killed, as for lack of memory: another one does the build', async () => {
    const seen = await runRow(farm, {
      phase: 'build', silence: 3, mend: nothing,
      strike: async (_b1, { marker }) => {
        for (const pid of await buildersWith(marker)) signalProcess(pid, 'SIGKILL')
      },
    })
    await expectElsewhere(farm, seen, /^builder-killed$/)
    expect(seen.outcome.log).toContain('Check the memory of the machine and how many builds at a time it is given')
    await expectNothingLeftOf(farm, seen)
  })
})

describe('a machine with a small disk and one build user', () => {
  let farm: Farm
  beforeAll(async () => {
    farm = await startFaultFarm({
      name: 'scarce', configuration: 'minimumFreeSpace: 1MiB\n',
      b1: { storeSize: '10m', fields: { parallelBuilds: 2 } },
    })
  })
  afterAll(() => farm[Symbol.asyncDispose]())

  it.each(['send', 'build'] as const)('whose store fills up during: %s', async (phase) => {
    const seen = await runRow(farm, {
      phase, mend: (b1) => b1.sh('rm -f /gnu/store/.fill'),
      before: (b1) => b1.sh('head -c 5500000 /dev/zero > /gnu/store/.fill'),
      ...(phase === 'build' ? { script: 'head -c 6000000 /dev/zero > $out; rm $out' } : {}),
    })
    await expectElsewhere(farm, seen, /^disk-full$/)
    await expectNothingLeftOf(farm, seen, { untidy: true })
  })
})

it('a machine whose clock is an hour behind builds all the same', async () => {
  await using farm = await startFaultFarm({ name: 'clock', b1: { clockOffset: -3600 } })
  const seen = await runRow(farm, { phase: 'build', mend: nothing })
  await expectBuilt(farm, seen, 'b1')
  const { stdout } = await farm.run(['test', '/etc/guix/machines.scm', '^b1$'])
  expect(String(stdout)).toMatch(/clock/)
  await expectNothingLeftOf(farm, seen)
})

it('a server that drops connections when many come at once: thirty builds at a time', async () => {
  await using farm = await startFaultFarm({ name: 'max-startups', b1: { sshd: { config: ['MaxStartups 1:100:1'] }, fields: { parallelBuilds: 30 } } })
  const [clients, each] = [5, 6]
  const outcomes = await Promise.all(Array.from({ length: clients }, (_, client) =>
    buildDerivations(farm.master, Array.from({ length: each }, (_entry, index) => ({ name: `many-${client}-${index}`, script: 'echo $name > $out', features: ['alone'] })))))
  for (const { failure, derivations, log } of outcomes) {
    expect(failure, log).toBeUndefined()
    expect(derivations.filter(({ built }) => built)).toHaveLength(each)
  }
  expect((await farm.history()).filter(({ outcome }) => outcome !== 'built')).toEqual([])
  const dropped = (await farm.builder('b1').sshd.log()).match(/drop connection|beginning MaxStartups throttling/g)?.length ?? 0
  console.info(`connections dropped: ${dropped}`)
  expect(await takenSlots(farm)).toEqual([])
})
