import { describe, expect, it } from 'vitest'
import type { Contribution, Kind, Kinds } from '../../../src/plugin-host/contribution.js'
import { guarded } from '../../../src/plugin-host/guarded-contribution.js'
import type { Candidate, ConnectContext, MachineSource, SchedulingStrategy, SourceContext, Transport } from '../../../src/plugin-api/index.js'
import { MachineError } from '../../../src/errors/offload-error.js'
import { buildMachine } from '../../support/plugin-host.js'

const guard = <T extends Kinds[Kind]>(kind: Kind, made: T): T => {
  const contribution: Contribution = { kind, name: 'x', package: 'third', installed: true, factory: () => made }
  return guarded(contribution, made, 50) as T
}
const machine = buildMachine({ hostKey: '' })
const candidates: readonly Candidate[] = [{ machine, freeSlots: 1 }]
const rank = (made: SchedulingStrategy['rank']) =>
  guard<SchedulingStrategy>('schedulingStrategy', { name: 'x', rank: made }).rank({ derivation: '', system: '', features: [], wantsLocal: false }, candidates, { now: 0, random: () => 0 })

describe('what an installed plugin brings', () => {
  it.each(['transport', 'schedulingStrategy', 'machineSource'] as const)('is a %s, or is refused', (kind) => {
    for (const made of [undefined, null, 'x', {}, { connect: 1, rank: 1, list: 1 }]) expect(() => guard(kind, made as never)).toThrow(/what its factory returns has no function (connect|rank|list)/)
  })

  it.each([
    ['throws', () => Promise.reject(new RangeError('oh')), /^asking scheduling strategy 'x'.*: oh/],
    ['throws at once', () => { throw new RangeError('oh') }, /: oh/],
    ['hangs', () => new Promise<never>(() => undefined), /no answer within 50 ms/],
    ['returns no list', () => ({}) as never, /did not return a list of the candidates/],
    ['returns machines of its own', () => [{ candidate: { machine, freeSlots: 1 }, score: 1, reason: '' }], /did not return a list of the candidates/],
    ['returns nonsense', () => [null] as never, /did not return a list of the candidates/],
  ])('and %s while it ranks: the error names the package', async (_, made, says) => {
    const error = await Promise.resolve(rank(made)).catch((reason: unknown) => reason) as Error
    expect(error).toMatchObject({ code: 'plugin-failed', message: expect.stringContaining('third') as string })
    expect(error.message.replace(/^third: /, '')).toMatch(says)
  })

  it('ranks as it does', async () => {
    const ranking = candidates.map((candidate) => ({ candidate, score: 1, reason: 'r' }))
    expect(await rank(() => ranking)).toBe(ranking)
  })

  it('keeps what a transport says itself, and names the package for the rest', async () => {
    const context: ConnectContext = { signal: new AbortController().signal, timeouts: { connectMs: 1, handshakeMs: 1, keepAliveMs: 1, keepAliveMisses: 1 }, homeDirectory: '/' }
    const refused = new MachineError({ code: 'connection-refused', step: 's', problem: 'p' })
    const connect = (error: unknown) => guard<Transport>('transport', { name: 'x', connect: async () => { throw error } }).connect(machine, context)
    await expect(connect(refused)).rejects.toBe(refused)
    await expect(connect(new TypeError('oh'))).rejects.toMatchObject({ code: 'plugin-failed', message: expect.stringMatching(/third.*connecting to 127\.0\.0\.1.*oh/) as string })
    const reason = new DOMException('stop', 'AbortError')
    await expect(guard<Transport>('transport', { name: 'x', connect: () => Promise.reject(reason) }).connect(machine, { ...context, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  it.each([
    ['port', 0], ['port', '22'], ['systems', []], ['systems', 'x'], ['user', ''], ['hostKey', undefined], ['parallelBuilds', Number.NaN], ['parallelBuilds', 0.5],
    ['speed', -1], ['overloadThreshold', undefined], ['features', [1]], ['settings', null], ['privateKey', 1], ['daemonSocket', undefined],
  ])('loses a machine whose %s is %j, and that is told', async (field, value) => {
    const list = async () => ({ machines: [{ ...machine, [field]: value }, machine], warnings: [] })
    const { machines, warnings } = await guard<MachineSource>('machineSource', { name: 'x', list }).list({} as SourceContext)
    expect(machines).toEqual([{ ...machine, source: 'x' }])
    expect(warnings).toEqual([{ code: 'machine-malformed', message: expect.stringContaining(`${field} is `) as string, dropped: true }])
  })
})
