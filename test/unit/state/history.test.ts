import { execFile } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { appendLine } from '../../../src/state/append-line.js'
import { HistoryFile, readLines, type HistoryEntry } from '../../../src/state/history.js'
import { RefusalFile, type RefusalEntry } from '../../../src/state/refusals.js'
import { scratchFolders } from '../../support/scratch.js'

const scratch = scratchFolders()
const worker = fileURLToPath(new URL('append-line-worker.ts', import.meta.url))

const entry = (derivation: string): HistoryEntry => ({
  time: '2026-05-01T12:00:00.000Z', derivation, system: 'x86_64-linux', machine: 'b1:22', outcome: 'built', status: 0, seconds: {}, sent: { items: 0, bytes: 0 }, fetched: { items: 0, bytes: 0 },
})

describe('lines of many processes in one file', () => {
  it('stay whole and none is lost, however they come', async () => {
    const file = join(scratch(), 'deep', 'lines.jsonl')
    const names = ['a', 'b', 'c', 'd']
    await Promise.all(names.map((name) => promisify(execFile)(process.execPath, ['--import', 'tsx', worker, file, name, '200', String(2 ** 30)])))
    const lines = readLines<{ time: string; name: string; number: number }>(file)
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(lines.length)
    for (const name of names) expect(lines.filter((line) => line.name === name).map(({ number }) => number)).toEqual(Array.from({ length: 200 }, (_, number) => number))
  })

  it('move on to a new file beyond the limit, once, and the old one keeps its lines', async () => {
    const file = join(scratch(), 'lines.jsonl')
    // Full to the brim: the next lines of all processes find it so at the same time.
    const old = `${JSON.stringify({ time: 't', name: 'old', number: 0, filling: 'x'.repeat(300_000) })}\n`
    writeFileSync(file, old)
    await Promise.all(['a', 'b', 'c'].map((name) => promisify(execFile)(process.execPath, ['--import', 'tsx', worker, file, name, '30', '200000'])))
    expect(readFileSync(`${file}.1`, 'utf8').startsWith(old)).toBe(true)
    const lines = [...readLines<{ time: string; name: string }>(`${file}.1`), ...readLines<{ time: string; name: string }>(file)]
    expect(lines).toHaveLength(1 + 3 * 30)
  })

  it('fail in silence where nothing can be written', () => {
    const folder = scratch()
    writeFileSync(join(folder, 'file'), '')
    expect(() => appendLine(join(folder, 'file', 'lines'), 'x', 10)).not.toThrow()
  })
})

describe('the history', () => {
  it('is read oldest first, past lines that were cut off', async () => {
    const state = scratch()
    const history = new HistoryFile(state)
    expect(history.read()).toEqual([])
    await history.append(entry('one'))
    const file = join(state, 'offload', 'history.jsonl')
    writeFileSync(`${file}.1`, `${JSON.stringify(entry('zero'))}\n`)
    appendFileSync(file, '{"time":"20\n[]\nnull\n{"derivation":"x"}\n')
    await history.append(entry('two'))
    expect(history.read().map(({ derivation }) => derivation)).toEqual(['zero', 'one', 'two'])
  })
})

describe('refusals', () => {
  const start = Date.parse('2026-05-01T12:00:00Z')
  const refusal = (minutes: number, changes: Partial<RefusalEntry> = {}): RefusalEntry => ({
    time: new Date(start + minutes * 60_000).toISOString(), derivation: 'd', system: 's', features: [], outcome: 'postponed',
    verdicts: [{ machine: 'b1:22', code: 'overloaded', reason: `load 0.8${minutes}` }], ...changes,
  })

  it('are written again only when there is something new or ten minutes have passed', () => {
    const file = new RefusalFile(scratch())
    const taken = [{ machine: 'b1:22', code: 'slots-taken', reason: '1 of 1 slots taken' }]
    for (let minute = 0; minute < 25; minute += 1) for (let times = 0; times < 12; times += 1) file.note(refusal(minute))
    expect(file.read().map(({ time }) => (Date.parse(time) - start) / 60_000)).toEqual([0, 10, 20])
    for (const changes of [{ derivation: 'e' }, { outcome: 'declined' }, { verdicts: taken }, { verdicts: taken }] as const) file.note(refusal(25, changes))
    expect(file.read()).toHaveLength(6)
  })

  it('know what other processes have written', () => {
    const state = scratch()
    new RefusalFile(state).note(refusal(0))
    new RefusalFile(state).note(refusal(9))
    expect(new RefusalFile(state).read()).toHaveLength(1)
    new RefusalFile(state).note(refusal(11))
    expect(new RefusalFile(state).read()).toHaveLength(2)
    // A clock that was set back silences nothing.
    new RefusalFile(state).note(refusal(-60))
    expect(new RefusalFile(state).read()).toHaveLength(3)
  })

  it('stay bounded', () => {
    const state = scratch()
    const folder = join(state, 'offload')
    mkdirSync(folder)
    const file = new RefusalFile(state)
    const verdicts = [{ machine: 'b1:22', code: 'unreachable', reason: 'x'.repeat(50_000) }]
    for (let number = 0; number < 150; number += 1) file.note(refusal(0, { derivation: `d${number}`, verdicts }))
    expect(readdirSync(folder).sort()).toEqual(['refusals.jsonl', 'refusals.jsonl.1'])
    expect(existsSync(join(folder, 'history.jsonl'))).toBe(false)
    const sizes = readdirSync(folder).map((name) => readFileSync(join(folder, name)).length)
    for (const size of sizes) expect(size).toBeLessThan(2 * 2 ** 20 + 60_000)
  })
})
