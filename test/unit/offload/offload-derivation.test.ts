import { describe, expect, it } from 'vitest'
import { BuildError, ConfigurationError, MachineError, OffloadError, TrustError } from '../../../src/errors/offload-error.js'
import { offloadDerivation, type OffloadDerivationPorts } from '../../../src/offload/offload-derivation.js'
import type { Connection, Probe } from '../../../src/plugin-api/index.js'
import type { RemoteStore } from '../../../src/remote-store/remote-store.js'
import type { Chosen, Selection } from '../../../src/scheduling/machine-selector.js'
import type { HistoryEntry } from '../../../src/state/history.js'
import { scratchFolders } from '../../support/scratch.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeStores } from './fake-stores.js'

const scratch = scratchFolders()
const gibibyte = 2 ** 30

const lost = () => new MachineError({ code: 'connection-lost', step: 'building', problem: 'gone' })
const buildFailed = (status: number) => new BuildError({ code: 'build-failed', step: 'building', problem: `exit code ${status}` }, status)

type Behaviour = Partial<RemoteStore>
const failing = (error: Error): Behaviour => ({ build: () => Promise.reject(error) })

/** Machines by name and what their stores do; they are offered in that order. Whatever is taken is counted. */
class Scene {
  readonly stores = new FakeStores(scratch())
  readonly output = this.stores.path('hello')
  readonly task = this.stores.task(this.stores.derivation('hello', [this.output], []), [], [this.output])
  readonly history: HistoryEntry[] = []
  readonly refusals: string[] = []
  readonly held: string[] = []
  readonly controller = new AbortController()
  readonly asked: string[][] = []
  readonly health: string[] = []
  log = ''
  freeBytes = gibibyte
  probes = 0
  pauses = 0

  constructor(readonly behaviours: Readonly<Record<string, Behaviour>>) {}

  chosen(name: string): Chosen {
    this.held.push(name)
    const probe: Probe = { at: 0, load: 0, cores: 1, normalizedLoad: 0, freeBytes: gibibyte }
    const description = machine(name)
    return {
      kind: 'chosen',
      machine: description,
      connection: { machine: description, details: {} } as unknown as Connection,
      slot: { machine: description, index: 0, file: `/slots/${name}`, release: () => undefined },
      probe,
      verdicts: [],
      release: async () => {
        this.stores.note(`release ${name}`)
        this.held.splice(this.held.indexOf(name), 1)
      },
    }
  }

  /** The next machine that has not been tried. */
  reselect(tried: ReadonlySet<string>, desperate = false): Selection {
    this.asked.push([...tried, ...(desperate ? ['desperate'] : [])])
    const next = Object.keys(this.behaviours).find((name) => !tried.has(`${name}:22`))
    return next === undefined ? { kind: 'unreachable', verdicts: [] } : this.chosen(next)
  }

  run(changes: Partial<OffloadDerivationPorts> = {}): Promise<number> {
    const [first = ''] = Object.keys(this.behaviours)
    const ports: OffloadDerivationPorts = {
      ...this.stores.ports(),
      openRemoteStore: async (connection) => this.stores.remote([], this.behaviours[connection.machine.name]),
      reselect: async (_task, tried, _signal, desperate = false) => this.reselect(tried, desperate),
      probe: async () => {
        this.probes += 1
        return { at: 0, load: 0, cores: 1, normalizedLoad: 0, freeBytes: this.freeBytes }
      },
      pause: async (_milliseconds, signal) => {
        signal.throwIfAborted()
        this.pauses += 1
      },
      noteRefusal: async (_request, outcome, verdicts) => void this.refusals.push(`${outcome} ${verdicts.map(({ code }) => code).join(' ')}`),
      history: { append: async (entry) => void this.history.push(entry) },
      links: { learn: async () => undefined },
      health: {
        passed: ({ name }, stage) => void this.health.push(`${name} ${stage}`),
        failed: ({ name }, stage, error) => void this.health.push(`${name} ${stage} failed: ${error instanceof OffloadError ? error.code : String(error)}`),
      },
      ...changes,
    }
    return offloadDerivation(this.task, this.chosen(first), 5, ports, (bytes) => void (this.log += Buffer.from(bytes).toString()), this.controller.signal)
  }

  messages(): string[] {
    return this.stores.events.filter((event) => event.startsWith('>'))
  }
}

describe('offloading a derivation', () => {
  it('sends, builds with the log, fetches, records, gives back', async () => {
    const scene = new Scene({ b1: {} })
    expect(await scene.run()).toBe(0)
    expect(scene.log).toBe('the log\n')
    expect(scene.stores.events).toEqual([
      'keep hello.drv', 'missing? hello.drv',
      "> offloading 'hello.drv' to 'b1'...", '> @ build-remote hello.drv b1',
      'warm up', 'build hello.drv',
      "> retrieving 1 store item from 'b1'...", 'local: root TEMPORARY', 'export hello', "> done with offloaded 'hello.drv'",
      'local: close', 'close', 'release b1',
    ])
    expect(scene.history).toMatchObject([{ machine: 'b1:22', outcome: 'built', status: 0, fetched: { items: 1 } }])
    expect(Object.keys(scene.history[0]?.seconds ?? {})).toEqual(['select', 'send', 'build', 'fetch'])
    expect(scene.stores.strangers(scene.output)).toEqual([])
    expect(scene.health).toEqual(['b1 used', 'b1 done'])
  })

  it.each([100, 101])('takes the build\'s own failure, %i, as final', async (status) => {
    const scene = new Scene({ b1: failing(buildFailed(status)), b2: {} })
    expect(await scene.run()).toBe(status)
    expect(scene.asked).toEqual([])
    expect(scene.history).toMatchObject([{ outcome: 'build-failed', status }])
    expect(scene.messages()).toContain(`> derivation 'hello.drv' offloaded to 'b1' failed: building: exit code ${status}`)
    expect(scene.held).toEqual([])
    expect(scene.health, 'it was no failure of the machine').toEqual(['b1 used', 'b1 done'])
    // A build that ran out of time says nothing about the disk.
    expect(scene.probes).toBe(status === 100 ? 1 : 0)
  })

  it('calls a failure with next to no disk space left a passing one', async () => {
    const scene = new Scene({ b1: failing(buildFailed(100)) })
    scene.freeBytes = 10 * 2 ** 20 - 1
    expect(await scene.run()).toBe(1)
    expect(scene.messages().at(-1)).toContain("lack of free disk space on 'b1'")
  })

  it('believes a build that failed on a machine that cannot be asked about its disk', async () => {
    const scene = new Scene({ b1: failing(buildFailed(100)) })
    expect(await scene.run({ probe: () => Promise.reject(lost()) })).toBe(100)
  })

  it.each<[string, Behaviour]>([
    ['send', { missing: () => Promise.reject(lost()) }],
    ['build', failing(lost())],
    ['fetch', { exportItem: () => Promise.reject(new TrustError({ code: 'unauthorized-key', step: 'checking', problem: 'unknown key' })) }],
  ])('moves on to another machine when one fails during: %s', async (_phase, behaviour) => {
    const scene = new Scene({ b1: behaviour, b2: {} })
    expect(await scene.run()).toBe(0)
    expect(scene.asked).toEqual([['b1:22']])
    expect(scene.history).toMatchObject([{ machine: 'b1:22', outcome: 'machine-failed', status: 1 }, { machine: 'b2:22', outcome: 'built' }])
    expect(scene.messages().some((text) => /^> 'b1' failed \([a-z-]+\); trying 'b2'$/.test(text))).toBe(true)
    // The first one's slot is given back before the second one's build begins.
    const { events } = scene.stores
    expect(scene.health.at(-3)).toMatch(/^b1 use failed: (connection-lost|unauthorized-key)$/)
    expect(scene.health.slice(-2)).toEqual(['b2 used', 'b2 done'])
    expect(events.indexOf('release b1')).toBeLessThan(events.lastIndexOf('build hello.drv'))
    expect(scene.held).toEqual([])
    expect(scene.stores.strangers(scene.output)).toEqual([])
  })

  it('tries three machines and none of them twice', async () => {
    const scene = new Scene({ b1: failing(lost()), b2: failing(lost()), b3: failing(lost()), b4: {} })
    expect(await scene.run()).toBe(1)
    expect(scene.asked).toEqual([['b1:22'], ['b1:22', 'b2:22']])
    expect(scene.history.map((entry) => entry.machine)).toEqual(['b1:22', 'b2:22', 'b3:22'])
    expect(scene.held).toEqual([])
  })

  it('ends where a second machine reports the build\'s own failure', async () => {
    const scene = new Scene({ b1: failing(lost()), b2: failing(buildFailed(100)), b3: {} })
    expect(await scene.run()).toBe(100)
    expect(scene.history.map((entry) => entry.outcome)).toEqual(['machine-failed', 'build-failed'])
  })

  it.each<[string, Error]>([
    ['a failure of this machine', new ConfigurationError({ code: 'local-store-full', step: 'writing', problem: 'no space' })],
    ['what no machine could mend', new MachineError({ code: 'item-not-valid', step: 'sending', problem: 'not here' }, 'never')],
    ['a mistake of ours', new TypeError('undefined is not a function')],
  ])('does not bother other machines with %s', async (_what, error) => {
    const scene = new Scene({ b1: failing(error), b2: {} })
    expect(await scene.run()).toBe(1)
    expect(scene.asked).toEqual([])
    expect(scene.history).toMatchObject([{ outcome: 'machine-failed', status: 1 }])
    expect(scene.held).toEqual([])
  })

  it('says when there is no other machine', async () => {
    const scene = new Scene({ b1: failing(lost()) })
    expect(await scene.run()).toBe(1)
    expect(scene.messages().at(-1)).toBe(">! no other machine can take 'hello.drv' now")
    expect(scene.asked).toEqual([['b1:22'], ['b1:22', 'desperate']])
    expect(scene.held).toEqual([])
  })

  it('goes back to a machine that is set aside rather than fail for lack of others', async () => {
    const scene = new Scene({ b1: failing(lost()), b2: {} })
    const reselect: OffloadDerivationPorts['reselect'] = async (_task, tried, _signal, desperate = false) =>
      desperate ? scene.reselect(tried, desperate) : { kind: 'unreachable', verdicts: [] }
    expect(await scene.run({ reselect })).toBe(0)
    expect(scene.asked).toEqual([['b1:22', 'desperate']])
  })

  it('waits while all others are busy, and says so once', async () => {
    const scene = new Scene({ b1: failing(lost()), b2: {} })
    const reselect: OffloadDerivationPorts['reselect'] = async (_task, tried) => (scene.pauses < 3 ? { kind: 'busy', verdicts: [] } : scene.reselect(tried))
    expect(await scene.run({ reselect })).toBe(0)
    expect(scene.pauses).toBe(3)
    expect(scene.messages().filter((text) => text.includes('waiting'))).toEqual(["> waiting until another machine can take 'hello.drv'"])
  })

  it('can be interrupted while it waits', async () => {
    const scene = new Scene({ b1: failing(lost()), b2: {} })
    const running = scene.run({
      reselect: async () => {
        scene.controller.abort(new Error('stop'))
        return { kind: 'busy', verdicts: [] }
      },
    })
    await expect(running).rejects.toThrow('stop')
    expect(scene.held).toEqual([])
  })

  it('gives everything back when the choice of another machine fails', async () => {
    const scene = new Scene({ b1: failing(lost()) })
    await expect(scene.run({ reselect: () => Promise.reject(new Error('no strategy')) })).rejects.toThrow('no strategy')
    expect(scene.held).toEqual([])
  })

  it('closes the one store when the other cannot be opened', async () => {
    const scene = new Scene({ b1: {} })
    expect(await scene.run({ openRemoteStore: () => Promise.reject(lost()) })).toBe(1)
    expect(scene.stores.events.slice(0, 1)).toEqual(['local: close'])
    const other = new Scene({ b1: {} })
    const unreachable = new MachineError({ code: 'local-daemon-unreachable', step: 'reaching', problem: 'nothing listens' }, 'never')
    expect(await other.run({ openLocalStore: () => Promise.reject(unreachable) })).toBe(1)
    expect(other.stores.events[0]).toBe('close')
    expect([...scene.held, ...other.held]).toEqual([])
  })

  it('records an interruption as such, blames nobody and tries no other machine', async () => {
    const scene = new Scene({ b2: {} })
    const interrupting: Behaviour = {
      build: async () => {
        scene.controller.abort(new Error('stopped by SIGTERM'))
        throw scene.controller.signal.reason
      },
    }
    Object.assign(scene.behaviours, { b2: interrupting, b3: {} })
    expect(await scene.run()).toBe(1)
    expect(scene.history).toMatchObject([{ outcome: 'cancelled', status: 1 }])
    expect(scene.asked).toEqual([])
    expect(scene.messages().filter((text) => text.includes('failed'))).toEqual([])
    expect(scene.health).toEqual(['b2 used'])
    expect(scene.held).toEqual([])
  })
})
