import { describe, test } from 'vitest'
import { whyUnavailable } from './host-tools.js'

const reason = await whyUnavailable()

/** `describe` for tests that need the bed. Where there can be none they are skipped with one line that says why; under CI that is a failure. */
export const describeOnBed = (name: string, body: () => void) => {
  if (reason === undefined) {
    describe(name, body)
  } else if (process.env.CI !== undefined) {
    describe(name, () => {
      test('there is a test bed', () => {
        throw new Error(reason)
      })
    })
  } else {
    process.stderr.write(`skipped: ${name}: ${reason}\n`)
    describe.skip(name, body)
  }
}
