import { describe, expect, it } from 'vitest'
import { ConfigurationError, MachineError, type OffloadError, TrustError } from '../../../src/errors/offload-error.js'
import { StepJournal } from '../../../src/offload/step-journal.js'
import type { TestStep } from '../../../src/offload/reports.js'
import { machine } from '../machines/machine-fixture.js'
import { localConnection } from '../scheduling/local-connection.js'

/** `ok`, `failed` or `skipped` by step, in their order. */
const outcomes = (steps: readonly TestStep[]) => steps.map(({ step, outcome }) => `${step} ${outcome}`)

const error = (kind: typeof MachineError | typeof TrustError | typeof ConfigurationError, code: string, step = 'connecting') =>
  new kind({ code, step, problem: 'it failed', cure: 'Mend it' })

async function afterConnecting(failure: OffloadError): Promise<readonly TestStep[]> {
  const journal = new StepJournal(() => 0)
  await expect(journal.connecting(() => Promise.reject(failure))).rejects.toBe(failure)
  journal.fail(failure)
  return journal.steps()
}

const rest = ['daemon skipped', 'guix-version skipped', 'import skipped', 'export skipped']

describe('a failure to connect', () => {
  it.each([
    ['name-not-found', error(MachineError, 'name-not-found')],
    ['connection-refused', error(MachineError, 'connection-refused')],
    ['connect-timeout', error(MachineError, 'connect-timeout')],
    ['handshake-timeout', error(MachineError, 'handshake-timeout', 'exchanging keys')],
    ['the deadline', error(MachineError, 'machine-deadline', 'testing')],
    ['a code nobody has heard of', error(MachineError, 'brand-new')],
  ])('%s: the machine was not reached', async (_what, failure) => {
    expect(outcomes(await afterConnecting(failure))).toEqual(['reach failed', 'host-key skipped', 'login skipped', ...rest])
  })

  it('another host key: it was reached', async () => {
    expect(outcomes(await afterConnecting(error(TrustError, 'host-key-mismatch')))).toEqual(['reach ok', 'host-key failed', 'login skipped', ...rest])
  })

  it('a refused log-in: it was reached and is the right one', async () => {
    expect(outcomes(await afterConnecting(error(MachineError, 'authentication-refused', 'authenticating')))).toEqual(['reach ok', 'host-key ok', 'login failed', ...rest])
  })

  it.each(['handshake-timeout', 'connection-lost'])('%s while authenticating: the same', async (code) => {
    expect(outcomes(await afterConnecting(error(MachineError, code, 'authenticating')))).toEqual(['reach ok', 'host-key ok', 'login failed', ...rest])
  })

  it.each(['private-key-unreadable', 'private-key-encrypted', 'private-key-invalid', 'private-key-missing'])('%s: nothing is claimed about the machine', async (code) => {
    expect(outcomes(await afterConnecting(error(ConfigurationError, code)))).toEqual(['reach skipped', 'host-key skipped', 'login failed', ...rest])
  })

  it('a pinned key that is none: the same', async () => {
    expect(outcomes(await afterConnecting(error(ConfigurationError, 'host-key-invalid')))).toEqual(['reach skipped', 'host-key failed', 'login skipped', ...rest])
  })

  it('tells code, message and cure', async () => {
    const [reach] = await afterConnecting(error(MachineError, 'connection-refused'))
    expect(reach).toMatchObject({ problem: { code: 'connection-refused', message: 'connecting: it failed. Mend it', cure: 'Mend it' } })
  })
})

describe('steps after that', () => {
  const connected = async (now: () => number = () => 0) => {
    const journal = new StepJournal(now)
    await journal.connecting(async () => ({ ...localConnection(machine('b1')), roundTripMs: 1.25, details: { hostKey: 'ssh-ed25519 SHA256:abc' } }))
    return journal
  }

  it('say what was found out and how long it took', async () => {
    let time = 100
    const journal = await connected(() => (time += 40))
    expect(await journal.step('daemon', async () => ({ value: 7, detail: '/socket' }))).toBe(7)
    expect(journal.steps().slice(0, 4)).toEqual([
      { step: 'reach', outcome: 'ok', detail: 'round trip 1.3 ms', ms: 40 },
      { step: 'host-key', outcome: 'ok', detail: 'ssh-ed25519 SHA256:abc' },
      { step: 'login', outcome: 'ok', detail: 'builder' },
      { step: 'daemon', outcome: 'ok', detail: '/socket', ms: 40 },
    ])
  })

  it('fail by themselves', async () => {
    const journal = await connected()
    await journal.step('daemon', async () => ({ value: 0, detail: '' }))
    // The same code means something else once the machine is reached.
    const failure = error(ConfigurationError, 'private-key-missing')
    await expect(journal.step('guix-version', () => Promise.reject(failure))).rejects.toBe(failure)
    journal.fail(failure)
    expect(outcomes(journal.steps())).toEqual(['reach ok', 'host-key ok', 'login ok', 'daemon ok', 'guix-version failed', 'import skipped', 'export skipped'])
  })

  it('fail where they were when time was up', async () => {
    const journal = await connected()
    void journal.step('daemon', () => new Promise<never>(() => undefined))
    journal.fail(error(MachineError, 'machine-deadline', 'testing'))
    expect(outcomes(journal.steps())).toEqual(['reach ok', 'host-key ok', 'login ok', 'daemon failed', 'guix-version skipped', 'import skipped', 'export skipped'])
  })

  it('report errors of no known kind as our own', async () => {
    const journal = await connected()
    await expect(journal.step('import', () => Promise.reject(new Error('oh')))).rejects.toThrow('oh')
    journal.fail(new Error('oh'))
    expect(journal.steps()[5]).toMatchObject({ step: 'import', outcome: 'failed', problem: { code: 'internal', message: 'oh' } })
  })
})
