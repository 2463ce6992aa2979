/** What `explain` says, beside what the hook and guix-daemon then do. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AskedHook } from '../support/asked-hook.js'
import { type Farm, hookInMachine, startFarm } from '../support/farm.js'
import { takenSlots } from '../support/leftovers.js'
import { buildDerivation, currentSystem, type DerivationSpec, instantiate } from '../testbed/derivations.js'
import type { DaemonOptions } from '../testbed/daemon.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'

let farm: Farm
const foreignSystem = 'mips64el-linux'

/** One of each kind; `only-KIND` is what that one alone offers. Kinds that are a matter of what is written about a machine share one, by ports. */
const kinds = {
  fit: 'fit:22', slower: 'fit:2201', busy: 'fit:2202', foreign: 'fit:2203', refusing: 'fit:2299', hole: 'hole:22', impostor: 'fit:2204', taken: 'fit:2205', small: 'small:22',
} as const
type Kind = keyof typeof kinds
const kindOf = (id: string) => Object.entries(kinds).find(([, other]) => other === id)?.[0] ?? id
const ports = ['Port 22', 'Port 2201', 'Port 2202', 'Port 2203', 'Port 2204', 'Port 2205']

beforeAll(async () => {
  farm = await startFarm({ name: 'explain', builders: [{ name: 'fit', sshd: { config: ports } }, { name: 'small', storeSize: '64m' }, { name: 'hole' }] })
  const { master } = farm
  await master.writeFile('/etc/guix/offload.yaml', 'timeouts: { connect: 3s, handshake: 3s }\n')
  const entries = (Object.keys(kinds) as Kind[]).map((kind) => {
    const [name = '', port] = kinds[kind].split(':')
    return [farm.builder(name), {
      port: Number(port), speed: kind === 'fit' || kind === 'slower' ? 1 : 2, features: kind === 'foreign' ? ['any'] : ['any', `only-${kind}`],
      ...(kind === 'fit' ? { speed: 1.5 } : {}),
      ...(kind === 'busy' ? { overloadThreshold: 0 } : {}),
      ...(kind === 'foreign' ? { systems: [foreignSystem] } : {}),
      ...(kind === 'impostor' ? { hostKey: farm.builder('small').hostKey } : {}),
      ...(kind === 'taken' ? { parallelBuilds: 1 } : {}),
    }] as const
  })
  await writeMachinesScm(master, entries)
  await farm.builder('hole').disconnect()
})

afterAll(() => farm[Symbol.asyncDispose]())

interface Explained {
  readonly offloaded: boolean
  readonly answer: { readonly reply: string; readonly machine: { readonly name: string; readonly port: number } | null; readonly reason: string }
  readonly circumstances: readonly { readonly code: string; readonly blocks: boolean; readonly message: string }[]
  readonly machines: readonly {
    readonly name: string
    readonly port: number
    readonly verdict: string
    readonly reason: string
    readonly rank: { readonly place: number; readonly score: number; readonly reason: string } | null
    readonly slots: { readonly total: number; readonly taken: number; readonly holders: readonly number[] } | null
    readonly asked: { readonly verdict: string } | null
  }[]
}

/** As root, who becomes the daemon's user. */
const explain = async (args: readonly string[]) => {
  const { stdout, stderr, exitCode } = await farm.run(['explain', ...args, '--json'], { user: 'root' })
  return { status: exitCode, stderr: String(stderr), ...(JSON.parse(String(stdout)) as Explained) }
}
const explainText = async (args: readonly string[]) => String((await farm.run(['explain', ...args], { user: 'root' })).stdout)

const derivationWith = async (spec: Partial<DerivationSpec> = {}) =>
  (await instantiate(farm.master, [{ name: 'explained', script: 'echo > $out', ...spec }]))[0]?.drv ?? ''

const verdicts = ({ machines }: Explained) => Object.fromEntries(machines.map(({ name, port, verdict }) => [kindOf(`${name}:${port}`), verdict]))
const codes = ({ circumstances }: Explained) => circumstances.map(({ code, blocks }) => `${code}${blocks ? ' (blocks)' : ''}`)

describe('with machines of all kinds at once', () => {
  it('says of each what it is, with figures, and which one would take it', async () => {
    await using holding = new AskedHook(farm, '/gnu/store/00000000000000000000000000000000-other.drv', 'ours', { features: ['only-taken'] })
    expect(await holding.answer(), holding.output).toBe('accept')
    const slots = await takenSlots(farm)
    const drv = await derivationWith({ features: ['any'] })
    const told = await explain([drv])
    console.info(await explainText([drv]))
    expect(verdicts(told)).toEqual({
      fit: 'chosen', slower: 'not-needed', busy: 'overloaded', foreign: 'unsuited', refusing: 'unreachable', hole: 'unreachable', impostor: 'unreachable',
      taken: 'slots-taken', small: 'low-disk-space',
    })
    expect([told.offloaded, told.status, told.answer.reply, told.answer.machine]).toEqual([true, 0, 'accept', { name: 'fit', port: 22 }])
    // No slot was taken, and the one that was taken still is.
    expect(await takenSlots(farm)).toEqual(slots)
  })
})
