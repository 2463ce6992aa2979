import { chmodSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BuildMachine } from '../../../src/plugin-api/index.js'
import { DisabledFiles } from '../../../src/state/disabled-files.js'
import { HealthFiles, type LastProbe, type Trouble } from '../../../src/state/health-files.js'
import { scratchFolders } from '../../support/scratch.js'
import { machine } from '../machines/machine-fixture.js'

const scratch = scratchFolders()
const b1 = machine('b1')
const trouble: Trouble = { failures: 2, since: 1000, at: 2000, until: 3000, stage: 'use', code: 'connection-lost', reason: 'building: the connection was lost', passed: false }
const last: LastProbe = { probe: { at: 5, load: 0.5, cores: 2, normalizedLoad: 0.25, freeBytes: 2 ** 40, pressure: 0.1 }, taken: 3 }

describe('what hooks tell each other of a machine', () => {
  it('is there for every process, and replaced as a whole', () => {
    const state = scratch()
    const files = new HealthFiles(state)
    expect([files.trouble(b1), files.lastProbe(b1)]).toEqual([undefined, undefined])
    files.setTrouble(b1, trouble)
    files.setLastProbe(b1, last)
    const other = new HealthFiles(state)
    expect([other.trouble(b1), other.lastProbe(b1)]).toEqual([trouble, last])
    expect(readdirSync(join(state, 'offload', 'b1:22')).sort()).toEqual(['health.json', 'probe.json'])
    other.setTrouble(b1, undefined)
    other.setTrouble(b1, undefined)
    expect([files.trouble(b1), files.lastProbe(b1)]).toEqual([undefined, last])
    expect(files.trouble(machine('b1', { port: 2222 }))).toBeUndefined()
  })

  it('keeps no more of a message than is of use', () => {
    const files = new HealthFiles(scratch())
    files.setTrouble(b1, { ...trouble, reason: 'x'.repeat(100_000) })
    expect(files.trouble(b1)?.reason).toHaveLength(500)
  })

  it.each<[string, Partial<BuildMachine>]>([
    ['account', { user: 'other' }],
    ['host key', { hostKey: 'ssh-ed25519 other' }],
    ['private key', { privateKey: '/root/.ssh/other' }],
    ['socket', { daemonSocket: '/other' }],
    ['transport', { settings: { transport: 'lsh' } }],
    ['way there', { settings: { proxyJump: 'gate' } }],
    ['host keys accepted besides', { settings: { hostKeys: ['x'] } }],
    ['algorithms', { settings: { legacyAlgorithms: true } }],
    ['ssh configuration', { settings: { sshConfig: true } }],
  ])('holds for one %s', (_what, change) => {
    const files = new HealthFiles(scratch())
    files.setTrouble(b1, trouble)
    files.setLastProbe(b1, last)
    const changed = { ...b1, ...change }
    expect([files.trouble(changed), files.lastProbe(changed)]).toEqual([undefined, undefined])
    expect(files.trouble(b1)).toEqual(trouble)
  })

  it('holds whatever changes in what does not matter', () => {
    const files = new HealthFiles(scratch())
    files.setTrouble(b1, trouble)
    expect(files.trouble(machine('b1', { speed: 9, features: ['kvm'], parallelBuilds: 7, overloadThreshold: null, source: 'other', settings: { disabled: false } }))).toEqual(trouble)
  })

  it('is forgotten when the private key has been replaced', () => {
    const folder = scratch()
    const privateKey = join(folder, 'key')
    writeFileSync(privateKey, 'one')
    const keyed = machine('b1', { privateKey })
    const files = new HealthFiles(folder)
    files.setTrouble(keyed, trouble)
    expect(files.trouble(keyed)).toEqual(trouble)
    writeFileSync(privateKey, 'two')
    utimesSync(privateKey, 1, 1)
    expect(files.trouble(keyed)).toBeUndefined()
  })

  it('is nothing where a file holds nonsense, whatever it is', () => {
    const state = scratch()
    const files = new HealthFiles(state)
    files.setTrouble(b1, trouble)
    files.setLastProbe(b1, last)
    const folder = join(state, 'offload', 'b1:22')
    const good = { health: readFileSync(join(folder, 'health.json'), 'utf8'), probe: readFileSync(join(folder, 'probe.json'), 'utf8') }
    const broken = { health: JSON.parse(good.health) as Record<string, unknown>, probe: JSON.parse(good.probe) as Record<string, unknown> }
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 1e300, 1.5, null, '', 'use', true))
    fc.assert(fc.property(fc.constantFrom('health' as const, 'probe' as const), fc.nat(20), value, (name, which, wrong) => {
      const keys = Object.keys(broken[name])
      const key = keys[which % keys.length] ?? ''
      writeFileSync(join(folder, `${name}.json`), JSON.stringify({ ...broken[name], [key]: wrong }))
      const read = name === 'health' ? files.trouble(b1) : files.lastProbe(b1)
      // Either it is refused, or the value was as good as another.
      if (read !== undefined) expect(JSON.stringify(read)).not.toContain('null')
    }))
    for (const content of ['', '{', 'null', '[]', '"x"', good.health.slice(0, 40), '{"failures":1}', '\u0000'.repeat(1000)]) {
      writeFileSync(join(folder, 'health.json'), content)
      writeFileSync(join(folder, 'probe.json'), content)
      expect([files.trouble(b1), files.lastProbe(b1)], content).toEqual([undefined, undefined])
    }
    expect(files.trouble(b1)).toBeUndefined()
  })

  it('does no harm where nothing can be written', () => {
    const state = scratch()
    writeFileSync(join(state, 'offload'), 'a file where the folder should be')
    const files = new HealthFiles(state)
    files.setTrouble(b1, trouble)
    files.setLastProbe(b1, last)
    expect([files.trouble(b1), files.lastProbe(b1)]).toEqual([undefined, undefined])
    files.lockTrial(b1)?.release()
  })

  it('lets one at a time try', () => {
    const state = scratch()
    const [one, other] = [new HealthFiles(state), new HealthFiles(state)]
    const trial = one.lockTrial(b1)
    expect(trial).toBeDefined()
    expect([one.lockTrial(b1), other.lockTrial(b1)]).toEqual([undefined, undefined])
    other.lockTrial(machine('b2'))?.release()
    trial?.release()
    trial?.release()
    const next = other.lockTrial(b1)
    expect(next).toBeDefined()
    next?.release()
  })
})

describe('machines that people have disabled', () => {
  it('are so for every process, until they are enabled', () => {
    const state = scratch()
    const disabled = new DisabledFiles(state)
    expect(disabled.recall(b1)).toBeUndefined()
    disabled.disable(b1, { since: 1, until: 2, by: 'ann' })
    expect(new DisabledFiles(state).recall(machine('b1', { user: 'other' }))).toEqual({ since: 1, until: 2, by: 'ann' })
    disabled.disable(b1, { since: 3 })
    expect(disabled.recall(b1)).toEqual({ since: 3, until: undefined, by: undefined })
    disabled.enable(b1)
    disabled.enable(b1)
    expect(disabled.recall(b1)).toBeUndefined()
  })

  it.each(['', '{', 'null', '{"until":5}', '{"since":"x"}', '{"since":1,"until":"later"}', '{"since":1e400}'])('are none where the file holds %j', (content) => {
    const state = scratch()
    mkdirSync(join(state, 'offload', 'b1:22'), { recursive: true })
    writeFileSync(join(state, 'offload', 'b1:22', 'disabled.json'), content)
    expect(new DisabledFiles(state).recall(b1)).toBeUndefined()
  })

  it('says that it could not be written, and what to do', () => {
    const state = scratch()
    writeFileSync(join(state, 'offload'), '')
    chmodSync(state, 0o700)
    expect(() => new DisabledFiles(state).disable(b1, { since: 1 })).toThrow(/^b1:22: .*offload\/b1:22: writing down .*Run this as root/)
  })
})
