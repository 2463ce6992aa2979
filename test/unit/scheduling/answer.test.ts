import { describe, expect, it } from 'vitest'
import { answerWithout } from '../../../src/scheduling/answer.js'

const answer = (kind: 'none' | 'busy' | 'disabled' | 'unreachable', { wantsLocal = true, system = 'x86_64-linux', onUnreachable = 'local' }: { wantsLocal?: boolean; system?: string; onUnreachable?: 'local' | 'wait' } = {}) =>
  answerWithout({ kind, verdicts: [] }, { derivation: '/gnu/store/x.drv', system, features: [], wantsLocal }, { daemonSystem: 'x86_64-linux', onUnreachable })

describe('answerWithout', () => {
  it('declines what nobody can ever build, and has the daemon ask again for what nobody can build now', () => {
    expect(answer('none', { wantsLocal: false })).toBe('decline')
    expect(answer('busy')).toBe('postpone')
  })

  it('leaves it to the daemon when all machines are dead, if the daemon can build it now and it is wanted', () => {
    expect(answer('unreachable')).toBe('decline')
    expect(answer('unreachable', { wantsLocal: false })).toBe('postpone')
    expect(answer('unreachable', { system: 'aarch64-linux' })).toBe('postpone')
    expect(answer('unreachable', { onUnreachable: 'wait' })).toBe('postpone')
  })

  it('leaves it to the daemon when people want none of the machines used, and has what it cannot build wait for them', () => {
    expect(answer('disabled')).toBe('decline')
    expect(answer('disabled', { onUnreachable: 'wait' })).toBe('decline')
    expect(answer('disabled', { wantsLocal: false })).toBe('postpone')
    expect(answer('disabled', { system: 'aarch64-linux' })).toBe('postpone')
  })
})
