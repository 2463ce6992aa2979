/** What every machine source must do: the list of a source's promises, run against a real one. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { BuildMachine, FoundMachine, MachineList, OffloadFailure, SourceContext } from '../index.js'
import type { MachineSourceCapabilities, MachineSourceSubject } from './source-subject.js'

/** Beyond that guix-daemon has waited too long for a list that nobody hurried. */
const patienceMs = 5000
const kebab = /^[a-z0-9]+(-[a-z0-9]+)*$/
/** Names become parts of file names, command lines and terminal lines. */
const safeName = /^(?!-)[^\s/\p{C}]+$/u
const never = new AbortController().signal

/**
 * Registers the suite with vitest; call it at the top of a test file.
 * @param name as the source was registered
 * @param makeSubject called once, before the first test
 * @param capabilities what is said to be lacking; the rest is expected
 */
export function machineSourceConformance(name: string, makeSubject: () => Promise<MachineSourceSubject>, capabilities: Partial<MachineSourceCapabilities> = {}): void {
  const { wrongEntries, failure: mayFail, asksOthers } = { wrongEntries: true, failure: true, asksOthers: true, ...capabilities }
  describe(`machine source ${name}`, () => {
    let subject: MachineSourceSubject
    let stateDirectory = ''

    beforeAll(async () => {
      subject = await makeSubject()
      stateDirectory = await mkdtemp(join(tmpdir(), 'source-conformance-'))
    })
    afterEach(async () => {
      vi.restoreAllMocks()
      await subject.restore()
    })
    afterAll(async () => {
      await subject.stop()
      await rm(stateDirectory, { recursive: true, force: true })
    })

    const list = (changes: Partial<SourceContext> = {}): Promise<MachineList> => subject.source.list({ ...subject.context, stateDirectory, signal: never, ...changes })
    const part = (of: 'spoilEntry' | 'spoilEverything' | 'silence'): () => Promise<void> => {
      const spoil = subject[of]?.bind(subject)
      if (spoil === undefined) throw new Error(`the subject must have \`${of}\` unless the capability is said to be lacking`)
      return spoil
    }
    const expectAll = ({ machines }: MachineList): void => expect(idsOf(machines)).toEqual(idsOf(subject.machines))

    it('goes by the name it is registered under', () => {
      expect(subject.source.name).toBe(name)
    })

    it('lists its machines, every field as the contract says', async () => {
      expect(subject.machines.length, 'the subject must have more than one machine').toBeGreaterThan(1)
      const answer = await list()
      expectAll(answer)
      for (const machine of answer.machines) checkMachine(machine, name)
      for (const warning of answer.warnings) expect(warning).toMatchObject({ code: expect.stringMatching(kebab) as string, message: expect.stringMatching(/^[^\n]+$/) as string })
      const used = new Set(idsOf(answer.machines))
      for (const found of answer.found ?? []) checkFound(found, used)
    })

    it('lists the same to a hook and to a person, who may ask at the same time', async () => {
      const answers = await Promise.all([list(), list({ live: true }), list(), list({ live: true })])
      answers.forEach(expectAll)
      expectAll(await list())
    })

    it('lists them without a folder to remember anything in, or with one that cannot be written to', async () => {
      expectAll(await list({ stateDirectory: undefined }))
      expectAll(await list({ stateDirectory: '/dev/null/nowhere' }))
    })

    it('leaves its context alone, and standard output to guix-daemon', async () => {
      const write = vi.spyOn(process.stdout, 'write')
      const context: SourceContext = Object.freeze({ ...subject.context, environment: Object.freeze({ ...subject.context.environment }), stateDirectory, signal: never })
      expectAll(await subject.source.list(context))
      expect(write).not.toHaveBeenCalled()
    })

    it('keeps no process alive once it has answered', async () => {
      const before = counts()
      expectAll(await list())
      await new Promise((resolve) => setImmediate(resolve))
      expect(counts()).toEqual(before)
    })

    it('lists nothing when aborted before, and says so by the reason of the signal', async () => {
      const reason = new Error('nobody waits any more')
      await expect(list({ signal: AbortSignal.abort(reason), stateDirectory: undefined })).rejects.toBe(reason)
    })

    if (wrongEntries) it('leaves out an entry that is wrong, with a warning, and lists the others', async () => {
      await part('spoilEntry')()
      const answer = await list({ live: true })
      expectAll(answer)
      const told = answer.warnings.some(({ dropped }) => dropped === true) || (answer.found ?? []).some(({ standing }) => standing === 'unusable')
      expect(told, 'a warning with `dropped`, or a machine found that is `unusable`').toBe(true)
    })

    if (mayFail) it('fails with an error of the configuration where it can list nothing at all', async () => {
      await part('spoilEverything')()
      const failure = await list({ live: true, stateDirectory: undefined }).then(() => new Error('it listed something'), (error: unknown) => error)
      expect(failure).toMatchObject({ fault: 'configuration', code: expect.stringMatching(kebab) as string, report: { step: expect.any(String) as string } })
      expect((failure as OffloadFailure).message).not.toBe('')
      await subject.restore()
      expectAll(await list({ live: true }))
    })

    if (asksOthers) it('gives up at once when aborted while nobody answers it, and within seconds otherwise', async () => {
      await part('silence')()
      const controller = new AbortController()
      const reason = new Error('enough')
      const aborted = list({ signal: controller.signal, live: true, stateDirectory: undefined })
      const settled = aborted.then(() => new Error('it listed something'), (error: unknown) => error)
      setTimeout(() => controller.abort(reason), 50)
      const begin = performance.now()
      expect(await settled).toBe(reason)
      expect(performance.now() - begin).toBeLessThan(patienceMs)
      const late = performance.now()
      await list({ stateDirectory: undefined }).catch((error: unknown) => expect(error).toMatchObject({ fault: 'configuration' }))
      expect(performance.now() - late).toBeLessThan(patienceMs)
    })
  })
}

const idsOf = (machines: readonly { readonly name: string; readonly port: number }[]): string[] => [...new Set(machines.map((machine) => `${machine.name}:${machine.port}`))].sort()

function checkMachine(machine: BuildMachine, source: string): void {
  const label = `${machine.name}:${machine.port}`
  expect(machine.name, label).toMatch(safeName)
  expect(isPort(machine.port), `${label}: port`).toBe(true)
  expect(machine.source, label).toBe(source)
  expect(machine.user, `${label}: user`).toMatch(safeName)
  expect(machine.hostKey, `${label}: hostKey`).toMatch(/^\s*[a-z0-9@.-]+[ \t]+[A-Za-z0-9+/]+={0,2}([ \t].*)?\s*$/)
  expect(machine.daemonSocket, `${label}: daemonSocket`).toMatch(/^\//)
  if (machine.privateKey !== undefined) expect(machine.privateKey, `${label}: privateKey`).toMatch(/^\//)
  expect(machine.systems.every((system) => /^\S+$/.test(system)), `${label}: systems`).toBe(true)
  expect(machine.features.every((feature) => typeof feature === 'string'), `${label}: features`).toBe(true)
  expect(Number.isInteger(machine.parallelBuilds) && machine.parallelBuilds >= 0, `${label}: parallelBuilds`).toBe(true)
  expect(Number.isFinite(machine.speed) && machine.speed > 0, `${label}: speed`).toBe(true)
  const { overloadThreshold: threshold, compressionLevel: level, heardAt } = machine
  expect(threshold === null || (Number.isFinite(threshold) && threshold >= 0), `${label}: overloadThreshold`).toBe(true)
  expect(level === undefined || (Number.isInteger(level) && level >= 0 && level <= 9), `${label}: compressionLevel`).toBe(true)
  expect(heardAt === undefined || (Number.isFinite(heardAt) && heardAt <= Date.now() + 1000), `${label}: heardAt`).toBe(true)
}

function checkFound(found: FoundMachine, used: ReadonlySet<string>): void {
  for (const text of [found.name, found.reason, found.address ?? '', found.hostKey ?? '']) expect(text).not.toMatch(/\p{C}/u)
  expect(isPort(found.port)).toBe(true)
  expect(found.heardAt).toBeLessThanOrEqual(Date.now() + 1000)
  if (found.standing === 'not-trusted') expect(used.has(`${found.name}:${found.port}`), `${found.name} is used and not trusted`).toBe(false)
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535

/** What keeps this process alive, by kind; only what a source could have opened. */
function counts(): Record<string, number> {
  const kinds = process.getActiveResourcesInfo().filter((kind) => /UDP|TCP|Pipe|Process|FSEvent|DNSCHANNEL|GetAddrInfo|QueryReq/i.test(kind))
  return Object.fromEntries([...new Set(kinds)].sort().map((kind) => [kind, kinds.filter((other) => other === kind).length]))
}
