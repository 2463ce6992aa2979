import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BuildLogFilter } from '../../../src/remote-store/build-log-filter.js'
import { derivation } from '../../support/conversations.js'

const before = `The following derivation will be built:\n   ${derivation}\nbuilding ${derivation}...\n`
const ends = {
  success: `successfully built ${derivation}\n`,
  'success after an unfinished line': `@ build-succeeded ${derivation} -\n`,
  failure: `build of ${derivation} failed\nView build log at '/var/log/guix/drvs/01/x.drv.gz'.\nguix build: error: build of \`${derivation}' failed\n`,
  'failure after an unfinished line': `@ build-failed ${derivation} - 1 builder failed\nguix build: error: build of \`${derivation}' failed\n`,
}

const filtered = (pieces: readonly Uint8Array[]) => {
  const filter = new BuildLogFilter(derivation)
  const passed = pieces.map((piece) => filter.push(piece))
  return { log: Buffer.concat([...passed, filter.end()]), complaint: filter.complaint, passed }
}

describe('BuildLogFilter', () => {
  it.each(Object.entries(ends))('takes the log out, however it is split: %s', (_what, end) => {
    const builder = fc.oneof(fc.uint8Array(), fc.constantFrom('building things\n', '@ build-', 'successfully ', 'build of x failed\n', 'b', '@').map((text) => Buffer.from(text)))
    fc.assert(
      fc.property(fc.array(builder), fc.array(fc.nat(300)), (printed, cuts) => {
        const log = Buffer.concat(printed)
        const whole = Buffer.concat([Buffer.from(before), log, Buffer.from(end)])
        const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)).toSorted((a, b) => a - b), whole.length]
        const result = filtered(places.slice(1).map((place, index) => whole.subarray(places[index], place)))
        expect(result.log.equals(log)).toBe(true)
        expect(result.complaint).toContain(end)
        expect(result.complaint).toContain('The following derivation will be built:')
      }),
    )
  })

  it('passes on at once what cannot be a mark', () => {
    const { passed } = filtered([before, 'no end yet', ' successf', 'ul it was not', '\nb'].map((text) => Buffer.from(text)))
    expect(passed.map(String)).toEqual(['', 'no end yet', ' ', 'successful it was not', '\n'])
  })

  it('is empty when nothing was built', () => {
    const { log, complaint } = filtered([Buffer.from('guix build: error: failed to connect to `/nowhere\': No such file or directory\n')])
    expect(log.length).toBe(0)
    expect(complaint).toContain('guix build: error: failed to connect')
  })

  it('gives up what it held back when all ends early', () => {
    expect(filtered([Buffer.from(`${before}one\nsuccessfully built /gnu/store/`)]).log.toString()).toBe('one\nsuccessfully built /gnu/store/')
  })
})
