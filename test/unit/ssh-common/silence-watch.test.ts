import { describe, expect, it } from 'vitest'
import { keepAliveInterval } from '../../../plugins/ssh-common/src/silence-watch.js'

describe('keepAliveInterval', () => {
  it('lets every message go unanswered before time is up', () => {
    for (const [ms, misses] of [[15_000, 4], [100, 1], [1000, 3]] as const) {
      const interval = keepAliveInterval(ms, misses)
      expect(interval).toBeLessThanOrEqual(ms)
      // The last of them still has an interval to be answered in.
      expect(interval * (misses + 1)).toBeLessThanOrEqual(ms * misses)
    }
  })
})
