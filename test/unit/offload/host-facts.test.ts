import { execFileSync } from 'node:child_process'
import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { hostFacts, hostWarnings, timeDifference } from '../../../src/offload/host-facts.js'
import { machine } from '../machines/machine-fixture.js'
import { localConnection } from '../scheduling/local-connection.js'
import { scratchFolders } from '../../support/scratch.js'

const scratch = scratchFolders()
const ask = (connection = localConnection(machine('b1'))) => hostFacts(connection, () => Date.now(), new AbortController().signal)

describe('asking a machine about itself', () => {
  it('finds kernel, name, clock and memory', async () => {
    const facts = await ask()
    const uname = execFileSync('uname', ['-srm'], { encoding: 'utf8' }).trim()
    expect(`${facts.kernel} ${facts.architecture}`).toBe(uname)
    expect(facts).toMatchObject({ hostName: hostname(), timeDifferenceSeconds: 0 })
    expect(facts.memoryBytes).toBeGreaterThan(2 ** 27)
  })

  it('manages without any PATH', async () => {
    expect(await ask(localConnection(machine('b1'), {}))).toMatchObject({ hostName: hostname() })
  })

  it('is not put off by what a log-in shell says', async () => {
    const folder = scratch()
    execFileSync('sh', ['-c', 'printf \'#!/bin/sh\\necho Welcome; echo 42; exec /bin/sh "$@"\\n\' > "$1/shell"; chmod +x "$1/shell"', 'sh', folder])
    expect(await ask(localConnection(machine('b1'), { PATH: '/usr/bin:/bin' }, [`${folder}/shell`]))).toMatchObject({ hostName: hostname() })
  })

  it('says what came instead', async () => {
    await expect(ask(localConnection(machine('b1'), {}, ['/bin/echo', 'This account is not available.']))).rejects.toMatchObject({
      code: 'status-unreadable', message: expect.stringMatching(/^b1: asking for kernel and clock: no \w+ in the answer .*This account is not available/) as string,
    })
  })
})

describe('the difference of the clocks', () => {
  // Asked at 100.900 s, answered at 101.200 s by ours.
  const difference = (theirs: number) => timeDifference(theirs, 100_900, 101_200)

  it.each([[100, 0], [101, 0], [99, -1], [102, 1], [0, -100], [4701, 4600]])('theirs at %i s: %i s', (theirs, expected) => {
    expect(difference(theirs)).toBe(expected)
  })

  it('is none that a slow answer could explain', () => {
    expect(timeDifference(105, 100_000, 110_000)).toBe(0)
  })
})

describe('warnings', () => {
  const facts = { kernel: 'Linux 6', architecture: 'x86_64', hostName: 'b1', timeDifferenceSeconds: 0, memoryBytes: 12 * 2 ** 30 }

  it('are none for a machine in good order', () => {
    expect(hostWarnings(machine('b1', { parallelBuilds: 12 }), facts)).toEqual([])
    expect(hostWarnings(machine('b1', { parallelBuilds: 1 }), { ...facts, memoryBytes: 2 ** 29 })).toEqual([])
    expect(hostWarnings(machine('b1', { parallelBuilds: 20 }), { ...facts, memoryBytes: undefined })).toEqual([])
    expect(hostWarnings(machine('b1'), { ...facts, timeDifferenceSeconds: 3 })).toEqual([])
  })

  it('tell of more builds than the memory is good for', () => {
    expect(hostWarnings(machine('b1', { parallelBuilds: 20 }), facts)).toEqual([expect.stringMatching(/^20 builds at a time share 12\.0 GiB of memory, 614 MiB each/)])
  })

  it('tell of a clock that is behind', () => {
    expect(hostWarnings(machine('b1'), { ...facts, timeDifferenceSeconds: -90 })).toEqual([expect.stringMatching(/^its clock is 90 seconds behind ours/)])
  })
})
