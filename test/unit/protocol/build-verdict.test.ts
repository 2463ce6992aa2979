import { describe, expect, it } from 'vitest'
import { buildVerdict } from '../../../src/protocol/build-verdict.js'
import { DaemonError } from '../../../src/protocol/daemon-error.js'

const drv = '/gnu/store/0123456789abcdfghijklmnpqrsvwxyz-x.drv'
const failed = `build of \`${drv}' failed`

/** Status, text and log as guix-daemon 1.2.0 and 1.5.0 give them. */
function verdict(status: number, log: string, text = failed): ReturnType<typeof buildVerdict> {
  return buildVerdict(new DaemonError('building', text, status, log), drv)
}

describe('buildVerdict', () => {
  it.each<[string, number, string, string?]>([
    ['a builder that fails', 100, `failing\nbuilder for \`${drv}' failed with exit code 3\n`],
    ['a builder that fails, of a fixed-output derivation', 1, `no\nbuilder for \`${drv}' failed with exit code 1\n`],
    ['a failure remembered', 100, `builder for \`${drv}' failed previously (cached)\n`],
    ['a missing output', 1, `nothing\nbuilder for \`${drv}' failed to produce output path \`/gnu/store/00000000000000000000000000000000-x'\n`],
    ['a wrong hash', 1, "hash mismatch for store item '/gnu/store/00000000000000000000000000000000-x'\n"],
    ['a forbidden reference', 1, "output (`/gnu/store/0-x') is not allowed to refer to path `/gnu/store/0-tools'\n"],
    ['a file no archive can hold', 1, '', "file `/gnu/store/0-x.drv.chroot/top/gnu/store/0-x/fifo' has an unsupported type"],
    ['a failure whose log is lost', 100, ''],
  ])('blames the derivation for %s', (_name, status, log, text) => {
    const error = verdict(status, log, text)
    expect(error).toMatchObject({ fault: 'build', code: 'build-failed', status: 100, retry: 'never' })
    expect(error.cause).toBeInstanceOf(DaemonError)
  })

  it('says why', () => {
    expect(verdict(100, `x\nbuilder for \`${drv}' failed with exit code 3\n`).report.problem).toBe(`builder for \`${drv}' failed with exit code 3`)
  })

  it.each([
    ['silence', `before\nbuilding of \`${drv}' timed out after 2 seconds of silence\n`, 'the builder was silent for too long'],
    ['duration', `tick\nbuilding of \`${drv}' timed out after %2% seconds\n`, 'the build took too long'],
  ])('tells a time-out by %s', (_name, log, problem) => {
    expect(verdict(101, log)).toMatchObject({ fault: 'build', code: 'build-timed-out', status: 101, report: { problem } })
  })

  it.each<[string, number, string, string]>([
    [
      'a full disk',
      1,
      `builder for \`${drv}' failed with exit code 1\nnote: build failure may have been caused by lack of free disk space\n`,
      'disk-full',
    ],
    ['a killed builder', 100, `builder for \`${drv}' failed due to signal 9 (Killed)\n`, 'builder-killed'],
    ['a missing derivation', 1, `cannot build missing derivation \`${drv}'\n`, 'daemon-error'],
    ["another derivation's failure", 1, "builder for `/gnu/store/0-dependency.drv' failed with exit code 1\n", 'daemon-error'],
  ])('blames the machine for %s', (_name, status, log, code) => {
    expect(verdict(status, log)).toMatchObject({ fault: 'machine', code })
  })

  it('does not take another signal for a lack of memory', () => {
    expect(verdict(100, `builder for \`${drv}' failed due to signal 11 (Segmentation fault)\n`)).toMatchObject({ fault: 'build', status: 100 })
  })
})
