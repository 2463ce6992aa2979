/** Far machines, 100 ms away: how inputs get there and outputs back, and what happens when a route fails. Prints what it measured. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { factsOf } from '../support/store-facts.js'
import { buildDerivation, type DerivationSpec } from '../testbed/derivations.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'

const mebibyte = 2 ** 20
const roundTrip = 0.1
let farm: Farm

/** `near` is on the bed's own network; the others are behind a relay. The guix that people get on `refusing` takes no archives. */
beforeAll(async () => {
  const names = ['near', 'far', 'refusing'] as const
  farm = await startFarm({ name: 'routes', builders: names.map((name) => ({ name })) })
  const entries = await Promise.all(
    names.map(async (name) => {
      const machine = farm.builder(name)
      if (name === 'near') return [machine, { features: [name] }] as const
      const { address, port } = await farm.bed.relay(machine, { delayMs: (roundTrip * 1000) / 2 })
      return [machine, { name: address, port, features: [name] }] as const
    }),
  )
  await writeMachinesScm(farm.master, entries)
  const refusing = farm.builder('refusing')
  await refusing.sh('mkdir -p /usr/libexec/whole; mv /usr/bin/guix /usr/libexec/whole/guix')
  const shim = `#!/bin/sh
if [ -n "$SSH_CONNECTION" ] && [ "$1" = archive ]; then echo 'no archives here' >&2; exit 1; fi
exec /usr/libexec/whole/guix "$@"
`
  await refusing.writeFile('/usr/bin/guix', shim, 0o755)
  // What every derivation needs is there from now on.
  for (const name of names) await offloaded(name, { name: 'first', script: 'echo > $out' })
})

afterAll(() => farm[Symbol.asyncDispose]())

/** Seconds of each phase, by the hook's own account. */
const offloaded = async (on: string, spec: DerivationSpec) => {
  const outcome = await buildDerivation(farm.master, { ...spec, features: [on] })
  expect(outcome.failure, outcome.log).toBeUndefined()
  const entry = (await farm.history()).findLast(({ derivation }) => derivation === outcome.drv) as { seconds: Record<'send' | 'build' | 'fetch', number> }
  return { ...outcome, seconds: entry.seconds }
}

const withInput = (bytes: number): DerivationSpec => ({
  name: 'reader', inputs: { BIG: { name: 'big-input', localBuild: true, script: `head -c ${bytes} /dev/urandom > $out` } }, script: 'echo $BIG > $out; stat -c %s $BIG',
})

const sameInput = async (on: string, out: string) => {
  const [item] = (await factsOf(farm.master, [out]))[0]?.references ?? []
  expect(await factsOf(farm.builder(on), [item ?? ''])).toEqual(await factsOf(farm.master, [item ?? '']))
}

describe('an input of 16 MiB', () => {
  it('goes to a far machine as one stream; in frames where that fails, which takes a round trip for each 32 KiB', async () => {
    const stream = await offloaded('far', withInput(16 * mebibyte))
    await sameInput('far', stream.outputs['out'] ?? '')
    expect(stream.log).not.toContain('trying frames')
    const frames = await offloaded('refusing', withInput(16 * mebibyte))
    await sameInput('refusing', frames.outputs['out'] ?? '')
    expect(frames.log).toMatch(/sending store items: guix ended with status 1 \(seen no archives here\); sent as stream, trying frames/)
    const ratio = frames.seconds.send / stream.seconds.send
    console.info(`16 MiB over ${roundTrip} s: stream ${stream.seconds.send} s, frames (after a failed stream) ${frames.seconds.send} s: ${ratio.toFixed(1)} times`)
    expect(frames.seconds.send).toBeGreaterThan(512 * roundTrip)
    expect(ratio).toBeGreaterThan(5)
  })

  it('is with a near machine sooner than a far one could acknowledge it', async () => {
    const { seconds, outputs } = await offloaded('near', withInput(16 * mebibyte))
    await sameInput('near', outputs['out'] ?? '')
    console.info(`16 MiB to a near machine: ${seconds.send} s`)
    expect(seconds.send).toBeLessThan(512 * roundTrip)
  })
})

describe('an output of 64 MiB', () => {
  it('comes from a far machine about as fast as from a near one', async () => {
    const spec: DerivationSpec = { name: 'big-output', script: `head -c ${64 * mebibyte} /dev/urandom > $out` }
    const near = await offloaded('near', spec)
    const far = await offloaded('far', spec)
    console.info(`64 MiB back: near ${near.seconds.fetch} s, over ${roundTrip} s ${far.seconds.fetch} s`)
    // In lockstep it would be 2048 frames of 32 KiB, a round trip each.
    expect(far.seconds.fetch).toBeLessThan(near.seconds.fetch + 30 * roundTrip)
  })
})
