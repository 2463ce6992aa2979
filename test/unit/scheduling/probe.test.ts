import { spawnSync } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/scheduling/clock.js'
import { probe, type ProbeOptions } from '../../../src/scheduling/probe.js'
import { parseProbe } from '../../../src/scheduling/probe-output.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeClock, settled } from './fake-clock.js'
import { probeOutput } from './fake-farm.js'
import { localConnection } from './local-connection.js'

const b = machine('b')
let folder: string
let options: ProbeOptions

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'probe-'))
  options = { storeDirectory: folder, probeMs: 10_000, clock: systemClock, signal: new AbortController().signal }
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A folder of programs to put first in PATH. */
function programs(scripts: Record<string, string>): string {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  return [bin, '/usr/bin', '/bin'].join(delimiter)
}

const cpuinfoCores = () => readFileSync('/proc/cpuinfo', 'utf8').split('\n').filter((line) => line.startsWith('processor')).length

describe('probe, asking this machine', () => {
  it('sees what is there', async () => {
    const seen = await probe(localConnection(b), options)
    const { bavail, bsize } = statfsSync(folder)
    expect(seen.cores).toBe(Number(spawnSync('nproc').stdout.toString()))
    expect(Math.abs(seen.load - Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]))).toBeLessThan(2)
    expect(seen.normalizedLoad).toBe(Math.min(1, seen.load / seen.cores))
    expect(Math.abs(seen.freeBytes - bavail * bsize)).toBeLessThan(2 ** 30)
    expect(seen.pressure !== undefined).toBe(existsSync('/proc/pressure/cpu'))
    expect(seen.architecture).toBe(spawnSync('uname', ['-m']).stdout.toString().trim())
    expect(Math.abs(seen.at - Date.now())).toBeLessThan(5_000)
  })

  it('counts processors without nproc and getconf', async () => {
    const absent = { nproc: 'exit 127', getconf: 'exit 127' }
    expect((await probe(localConnection(b, { PATH: programs(absent) }), options)).cores).toBe(cpuinfoCores())
  })

  it('finds the programs although the session has no PATH', async () => {
    expect((await probe(localConnection(b, {}), options)).cores).toBeGreaterThan(0)
  })

  it('is not misled by a store with a blank in its name', async () => {
    const storeDirectory = join(folder, "a b'c")
    mkdirSync(storeDirectory)
    expect((await probe(localConnection(b), { ...options, storeDirectory })).freeBytes).toBeGreaterThan(0)
  })

  it('says which fact is missing, and on which machine', async () => {
    await expect(probe(localConnection(b), { ...options, storeDirectory: join(folder, 'missing') })).rejects.toMatchObject({
      code: 'probe-unreadable',
      message: `b:22: checking load and disk: section "store" is not as expected (expected df's line about the store, seen nothing)`,
    })
  })

  it('quotes a shell that is none', async () => {
    const answer = `echo 'This account is not available.'; echo no >&2; exit 3`
    await expect(probe(localConnection(b, {}, ['/bin/sh', '-c', answer, 'sh']), options)).rejects.toMatchObject({
      code: 'probe-failed',
      retry: 'other-machine',
      message: expect.stringContaining('the shell ended with status 3 (expected load, processors and free space, seen "no\\nThis account is not available.")') as unknown,
    })
  })

  it('names the signal that ended the shell', async () => {
    await expect(probe(localConnection(b, {}, ['/bin/sh', '-c', 'kill -9 $$', 'sh']), options)).rejects.toThrow('the shell was ended by signal KILL')
  })

  it('keeps little of a shell that never stops talking', async () => {
    const chatter = localConnection(b, { PATH: '/usr/bin:/bin' }, ['/bin/sh', '-c', 'head -c 20000000 /dev/zero', 'sh'])
    const before = process.memoryUsage().arrayBuffers
    await expect(probe(chatter, options)).rejects.toThrow('the shell ended with status 0')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(15_000_000)
  })

  it('stops waiting at its own time limit, and ends the command', async () => {
    const clock = new FakeClock()
    const marker = join(folder, 'pid')
    const sleeper = localConnection(b, { PATH: '/usr/bin:/bin' }, ['/bin/sh', '-c', `echo $$ > ${marker}; exec sleep 60`, 'sh'])
    const asking = probe(sleeper, { ...options, clock, probeMs: 3_000 })
    asking.catch(() => {})
    while (!existsSync(marker) || readFileSync(marker, 'utf8') === '') await new Promise((resolve) => setTimeout(resolve, 5))
    await clock.advance(3_000)
    await expect(asking).rejects.toMatchObject({ code: 'probe-timeout', message: expect.stringMatching(/^b:22: checking load and disk: no answer within 3 s/) as unknown })
    expect(clock.pending).toBe(0)
    const gone = () => !existsSync(`/proc/${readFileSync(marker, 'utf8').trim()}`)
    for (let wait = 0; wait < 200 && !gone(); wait += 1) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(gone()).toBe(true)
  })

  it('stops with the reason when aborted', async () => {
    const controller = new AbortController()
    const clock = new FakeClock()
    const asking = probe(localConnection(b, {}, ['/bin/sh', '-c', 'exec sleep 60', 'sh']), { ...options, clock, signal: controller.signal })
    asking.catch(() => {})
    await settled()
    controller.abort(new Error('enough'))
    await expect(asking).rejects.toThrow('enough')
    expect(clock.pending + getEventListeners(controller.signal, 'abort').length).toBe(0)
  })
})

describe('parseProbe', () => {
  it('ignores what a log-in shell prints around the answer', () => {
    const seen = parseProbe(`Welcome!\n50% off\n${probeOutput({ load: '2.50', cores: 4, freeKiB: 1024 })}bye\n`, 'b:22', 7)
    expect(seen).toEqual({ at: 7, load: 2.5, cores: 4, normalizedLoad: 0.625, freeBytes: 2 ** 20, pressure: 0 })
  })

  it('clamps: load at 1, free space at 0', () => {
    expect(parseProbe(probeOutput({ load: '12.00', cores: 2, freeKiB: -5 }), 'b', 0)).toMatchObject({ load: 12, normalizedLoad: 1, freeBytes: 0 })
  })

  it.each([
    ['//nas/my share 100 50 50 50% /mnt/gnu store', 50],
    ['tmpfs 100 0 100 0% /gnu/store', 100],
    ['overlay 10 10 0 - /', 0],
  ])('reads df: %s', (line, freeKiB) => {
    expect(parseProbe(probeOutput().replace(/^\/dev\/vda1.*$/m, line), 'b', 0).freeBytes).toBe(freeKiB * 1024)
  })

  it('reads pressure as a share', () => {
    expect(parseProbe(probeOutput().replace('avg10=0.00', 'avg10=12.50'), 'b', 0).pressure).toBe(0.125)
    expect(parseProbe(probeOutput().replace(/^some.*$/m, ''), 'b', 0).pressure).toBeUndefined()
  })

  it.each([
    ['%%load', 'the answer has no section "load"'],
    ['0.10 0.20', 'section "load" is not as expected'],
    ['\n4\n', 'section "cores" is not as expected'],
    ['100000000', 'section "store" is not as expected'],
  ])('locates what is wrong: without %j', (text, problem) => {
    expect(() => parseProbe(probeOutput().replace(text, '\nx '), 'b:22', 0)).toThrow(expect.objectContaining({ code: 'probe-unreadable', report: expect.objectContaining({ problem, machine: 'b:22' }) as unknown }))
  })

  it('either reads an answer completely or refuses it, however it was cut', () => {
    const whole = probeOutput()
    const expected = parseProbe(whole, 'b', 0)
    fc.assert(
      fc.property(fc.nat({ max: whole.indexOf('%%pressure') - 1 }), (length) => {
        let seen
        try {
          seen = parseProbe(whole.slice(0, length), 'b', 0)
        } catch (error) {
          expect(error).toMatchObject({ code: 'probe-unreadable' })
          return
        }
        // All that may be missing is the end of the mount point.
        expect(seen).toEqual({ ...expected, pressure: undefined })
      }),
    )
  })
})
