import { describe, expect, it } from 'vitest'
import { explainJson, explainLines } from '../../../src/commands/support/explain-report.js'
import { historyLines } from '../../../src/commands/support/history-report.js'
import { plainStyle } from '../../../src/commands/support/style.js'
import type { ExplainReport } from '../../../src/offload/explain/report.js'
import { selectHistory, type HistoryQuestion } from '../../../src/offload/read-history.js'
import type { HistoryEntry } from '../../../src/state/history.js'
import type { RefusalEntry } from '../../../src/state/refusals.js'
import { machine } from '../machines/machine-fixture.js'

const probe = { at: 0, load: 1, cores: 4, normalizedLoad: 0.25, freeBytes: 50 * 2 ** 30 }
const b1 = machine('b1')
const report: ExplainReport = {
  warnings: [], failures: [], scheduler: 'guix', circumstances: [],
  request: { derivation: '/gnu/store/x.drv', system: 'x86_64-linux', features: ['kvm'], wantsLocal: true },
  answer: { reply: 'accept', machine: b1, probe, reason: 'b1 takes it: speed 1' },
  machines: [
    { verdict: { machine: b1, code: 'chosen', reason: 'speed 1, load 0.25, 50 GiB free', probe }, ranked: { place: 1, score: 1, reason: 'speed 1' }, asked: { probe, milliseconds: 250 }, slots: { total: 2, taken: 0, holders: [] } },
    { verdict: { machine: machine('b2'), code: 'slots-taken', reason: '2 of 2 slots taken' }, asked: { probe, milliseconds: 250 }, slots: { total: 2, taken: 2, holders: [11, 12] } },
    { verdict: { machine: machine('b3'), code: 'unsuited', reason: 'lacks feature kvm' } },
  ],
}

describe('an explanation', () => {
  it('says first what would happen, then why, then of every machine what speaks against it', () => {
    expect(explainLines(report, plainStyle)).toEqual([
      '/gnu/store/x.drv for x86_64-linux that requires kvm',
      'It would be offloaded to b1 now',
      '  The hook answers "# accept": b1 takes it: speed 1',
      'Machines, judged as the hook judges them (order: guix)',
      '   1 b1:22: chosen: speed 1, load 0.25, 50 GiB free',
      '   - b2:22: slots-taken: 2 of 2 slots taken by processes 11, 12 (it answers now: load 0.25, 50 GiB free)',
      '   - b3:22: unsuited: lacks feature kvm',
    ])
  })

  it('says what keeps the hook from being asked, though a machine would take it', () => {
    const blocked = { ...report, machines: [], circumstances: [{ code: 'prefers-local-build', blocks: true, message: 'it prefers', cure: 'Do this' }, { code: 'x', blocks: false, message: 'by the way' }] }
    expect(explainLines({ ...blocked, request: { ...report.request, derivation: '', features: [] } }, plainStyle)).toEqual([
      'A derivation for x86_64-linux',
      'It would not be offloaded, though a machine would take it',
      '  because: it prefers. Do this',
      '  note: by the way',
      '  If the hook were asked, it would answer "# accept": b1 takes it: speed 1',
    ])
    expect(explainJson(blocked)).toMatchObject({ offloaded: false, answer: { reply: 'accept' }, circumstances: [{ code: 'prefers-local-build', blocks: true, cure: 'Do this' }, { code: 'x', cure: null }] })
  })

  it('has every key in JSON, null for what is not known', () => {
    const { machines } = explainJson(report) as { machines: unknown[] }
    expect(machines[0]).toEqual({
      name: 'b1', port: 22, verdict: 'chosen', reason: 'speed 1, load 0.25, 50 GiB free', rank: { place: 1, score: 1, reason: 'speed 1' }, slots: { total: 2, taken: 0, holders: [] },
      asked: { verdict: 'fit', reason: null, seconds: 0.25, probe: { load: 1, cores: 4, normalizedLoad: 0.25, overloadThreshold: 0.8, freeBytes: 53687091200, pressure: null } },
    })
    expect(machines[2]).toEqual({ name: 'b3', port: 22, verdict: 'unsuited', reason: 'lacks feature kvm', rank: null, slots: null, asked: null })
  })
})

describe('the history', () => {
  const offload = (minute: number, changes: Partial<HistoryEntry> = {}): HistoryEntry => ({
    time: `2026-05-01T12:0${minute}:00.000Z`, derivation: `/gnu/store/${'0'.repeat(32)}-d${minute}.drv`, system: 's', machine: 'b1:22', outcome: 'built', status: 0, seconds: { select: 0.1, build: 2 },
    sent: { items: 0, bytes: 0 }, fetched: { items: 0, bytes: 0 }, verdicts: [{ machine: 'b1:22', code: 'chosen', reason: 'speed 1' }], ...changes,
  })
  const refusal: RefusalEntry = {
    time: '2026-05-01T12:02:30.000Z', derivation: `/gnu/store/${'1'.repeat(32)}-r.drv`, system: 's', features: [], outcome: 'postponed',
    verdicts: [{ machine: 'b2:22', code: 'overloaded', reason: 'load 0.90' }, { machine: 'b3:22', code: 'unsuited', reason: 'no' }],
  }
  const offloads = [offload(1), offload(2, { machine: 'b2:2222' }), offload(3, { outcome: 'build-failed', status: 100, error: { code: 'build-failed', message: 'm' } })]
  const names = (question: Partial<HistoryQuestion>) =>
    selectHistory(offloads, [refusal], { failed: false, count: 0, ...question }).map(({ derivation }) => derivation.replace(/^.*-|\.drv$/g, ''))

  it.each<[Partial<HistoryQuestion>, string[]]>([
    [{}, ['d1', 'd2', 'r', 'd3']], [{ count: 2 }, ['r', 'd3']], [{ failed: true }, ['r', 'd3']], [{ about: 'b1' }, ['d1', 'd3']], [{ about: 'b2' }, ['d2', 'r']],
    [{ about: 'b2:22' }, ['r']], [{ about: 'b3' }, []], [{ about: '-d2' }, ['d2']], [{ about: `/gnu/store/${'1'.repeat(32)}-r.drv` }, ['r']],
  ])('of %j', (question, expected) => expect(names(question)).toEqual(expected))

  it('is tabs for programs and a table with short names for people', () => {
    const records = selectHistory(offloads.slice(2), [refusal], { failed: false, count: 0 })
    expect(historyLines(records, plainStyle, true)).toEqual([
      `2026-05-01T12:02:30.000Z\t/gnu/store/${'1'.repeat(32)}-r.drv\t-\tpostponed\t-\t-\t-\t-\tb2:22 overloaded`,
      '  b2:22: overloaded: load 0.90', '  b3:22: unsuited: no',
      `2026-05-01T12:03:00.000Z\t/gnu/store/${'0'.repeat(32)}-d3.drv\tb1:22\tbuild-failed\t0.10\t-\t2.00\t-\tbuild-failed`,
      '  b1:22: chosen: speed 1',
    ])
    const table = historyLines(records, { ...plainStyle, table: true }, false)
    expect(table).toHaveLength(3)
    expect(table[0]).toMatch(/^TIME +DERIVATION +MACHINE +OUTCOME +SELECT +SEND +BUILD +FETCH +WHY$/)
    expect(table[2]).toMatch(/^2026-05-01 \d\d:03:00 +d3 +b1:22 +build-failed +0\.10 +- +2\.00 +- +build-failed$/)
  })
})
