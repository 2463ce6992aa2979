/**
 * When links are compressed: as the machine file says; where it says nothing, none until a transfer has shown that the link is slow. Judged by the bytes that arrive at the machine's network
 * interface, with archives that compress well.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { buildDerivation } from '../testbed/derivations.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'

const mebibyte = 2 ** 20
/** Some thirteen seconds over the slow link: what a busy host takes to compress them does not count beside that. */
const inputBytes = 6 * mebibyte
/** OpenSSH's client brings these inputs to some half of their size only, ssh2 to a twentieth. */
const clearlyLess = (inputBytes * 2) / 3
const names = ['slow', 'fast'] as const
type Name = (typeof names)[number]
let farm: Farm

beforeAll(async () => {
  farm = await startFarm({ name: 'compression', builders: names.map((name) => ({ name, fields: { features: [name] } })) })
  // What every derivation needs is there from now on.
  for (const name of names) await buildDerivation(farm.master, { name: 'first', script: 'echo > $out', features: [name] })
  await farm.builder('slow').limitBandwidth('4mbit')
})
afterAll(() => farm[Symbol.asyncDispose]())

const received = async (name: Name) => Number(await farm.builder(name).sh('cat /sys/class/net/eth0/statistics/rx_bytes'))

let inputs = 0
/** Has something built on that machine that needs an input it has not seen; resolves to the bytes that came over its link. */
async function send(name: Name): Promise<number> {
  const line = `input ${++inputs} has lines that are much like each other: this is number `
  await farm.master.sh(`rm -rf /tmp/input; mkdir /tmp/input; seq -f '${line}%.0f' 1 200000 | head -c ${inputBytes} > /tmp/input/data`)
  const before = await received(name)
  const outcome = await buildDerivation(farm.master, { name: 'reader', sources: { INPUT: '/tmp/input' }, script: 'stat -c %s $INPUT/data > $out', features: [name] })
  expect(outcome.failure, outcome.log).toBeUndefined()
  expect((await farm.master.readFile(outcome.outputs['out'] ?? '')).trim()).toBe(String(inputBytes))
  expect((await farm.history()).at(-1)).toMatchObject({ machine: `${name}:22`, outcome: 'built' })
  return (await received(name)) - before
}

interface Status {
  readonly name: string
  readonly compressionReason: string
  readonly transport: { readonly compression: string }
}

async function choices(): Promise<Record<string, string>> {
  const { stdout } = await farm.run(['status', '--json'])
  const machines = JSON.parse(String(stdout)) as readonly Status[]
  return Object.fromEntries(machines.map(({ name, compressionReason, transport }) => [name, `${transport.compression}, ${compressionReason}`]))
}

const entries = (compression: Partial<Record<Name, string>>) =>
  names.map((name) => [farm.builder(name), { features: [name], ...(compression[name] === undefined ? {} : { compression: compression[name] }) }] as const)

describe.each(['ssh2', 'openssh'])('through %s', (transport) => {
  beforeEach(async () => {
    await farm.master.sh('rm -f /var/guix/offload/*/link.json')
    await farm.master.writeFile('/etc/guix/offload.yaml', `transport: ${transport}\n`)
  })

  it('a link is compressed once a transfer has shown that it is slow, and a fast one is not', async () => {
    await writeMachinesScm(farm.master, entries({}))
    expect(await choices()).toEqual({ slow: 'none, default', fast: 'none, default' })
    const first = await send('slow')
    expect(await choices()).toEqual({ slow: 'zlib@openssh.com, measured', fast: 'none, default' })
    const second = await send('slow')
    await send('fast')
    const onFast = await send('fast')
    expect(await choices()).toEqual({ slow: 'zlib@openssh.com, measured', fast: 'none, measured' })
    console.log(`${transport}, ${inputBytes} bytes: over the slow link ${first} bytes, then ${second}; over the fast one ${onFast}`)
    expect(first).toBeGreaterThan(inputBytes)
    expect(second).toBeLessThan(clearlyLess)
    expect(onFast).toBeGreaterThan(inputBytes)
  })

  it('what the machine file says is done, on a slow link and on a fast one', async () => {
    await writeMachinesScm(farm.master, entries({ slow: 'none', fast: 'zlib@openssh.com,zlib' }))
    const said = { slow: 'none, machine file', fast: 'zlib@openssh.com, machine file' }
    expect(await choices()).toEqual(said)
    await send('slow')
    expect(await send('slow')).toBeGreaterThan(inputBytes)
    expect(await send('fast')).toBeLessThan(clearlyLess)
    expect(await choices()).toEqual(said)
  })
})

it('a link that has become fast is compressed no longer', async () => {
  await writeMachinesScm(farm.master, entries({}))
  await farm.master.sh('rm -f /var/guix/offload/*/link.json')
  await send('slow')
  expect(await choices()).toMatchObject({ slow: 'zlib@openssh.com, measured' })
  await farm.builder('slow').limitBandwidth(undefined)
  // As if a day had passed: what was measured then does not count any more.
  await farm.master.sh(`sed -i 's/"at":[0-9]*/"at":${Date.now() - 25 * 3_600_000}/g' /var/guix/offload/slow:22/link.json`)
  expect(await choices()).toMatchObject({ slow: 'none, default' })
  expect(await send('slow')).toBeGreaterThan(inputBytes)
  expect(await choices()).toMatchObject({ slow: 'none, measured' })
})
