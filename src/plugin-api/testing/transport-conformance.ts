/**
 * What every transport must do, run against a real server on this computer, whose side is looked at as well: processes by their number, sockets by their path.
 * The chapters are in `transport/`.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TransportBench } from './transport/bench.js'
import { abortTests, commandTests } from './transport/commands.js'
import { connectingTests } from './transport/connecting.js'
import { endingTests } from './transport/endings.js'
import { socketTests } from './transport/sockets.js'
import type { TransportCapabilities, TransportSubject } from './transport-subject.js'

/**
 * Registers the suite with vitest; call it at the top of a test file. Some tests take seconds: a `testTimeout` of 60,000 ms does.
 * @param name as it stands in the report
 * @param makeSubject called once, before the first test
 * @param capabilities what is said to be lacking; the rest is expected
 */
export function transportConformance(name: string, makeSubject: () => Promise<TransportSubject>, capabilities: Partial<TransportCapabilities> = {}): void {
  const { sockets, ssh } = { sockets: true, ssh: true, ...capabilities }
  describe(`transport ${name}`, () => {
    const bench = new TransportBench(makeSubject)
    beforeAll(() => bench.start())
    afterEach(() => bench.closeAll())
    afterAll(() => bench.subject.stop())

    commandTests(bench)
    abortTests(bench)
    it('has sockets where it says so, and not even a member for them elsewhere', async () => {
      expect('openSocket' in await bench.connect()).toBe(sockets)
    })
    if (sockets) socketTests(bench)
    endingTests(bench)
    if (ssh) connectingTests(bench)
  })
}
