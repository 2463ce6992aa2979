import { describe, expect, it } from 'vitest'
import { parseDerivation } from '../../../../src/local-store/derivation-file.js'
import { answerTo } from '../../../../src/offload/explain/answer.js'
import { aboutClient, aboutDaemon, aboutDerivation, aboutStore, type SeenDaemon } from '../../../../src/offload/explain/circumstances.js'
import { storeFactsOf, type StoreFacts } from '../../../../src/offload/explain/store-facts.js'
import type { BuildRequest } from '../../../../src/plugin-api/index.js'
import type { Finding } from '../../../../src/scheduling/survey.js'
import { machine } from '../../machines/machine-fixture.js'

const shown = (circumstances: readonly { code: string; blocks: boolean }[]) => circumstances.map(({ code, blocks }) => `${code} ${blocks}`)
const derivation = (system: string, ...variables: [string, string][]) =>
  parseDerivation(`Derive([("out","/gnu/store/out","",""),("lib","/gnu/store/lib","","")],[],["/gnu/store/source"],"${system}","/bin/sh",[],[${variables.map(([name, value]) => `("${name}","${value}")`).join(',')}])`)

describe('what keeps the hook from being asked', () => {
  const daemon = (hook: SeenDaemon['hook'], noOffload = false): SeenDaemon => ({ process: { pid: 7, uid: 0, words: [] }, options: { maxJobs: 1, noOffload, system: undefined }, hook })

  it.each<[SeenDaemon | undefined, string[]]>([
    [undefined, ['daemon-not-seen false']],
    [daemon({ kind: 'ours', path: '/g', answer: '' }), []],
    [daemon({ kind: 'ours', path: '/g', answer: '' }, true), ['no-offload false']],
    [daemon({ kind: 'unknown' }), ['hook-unknown false']],
    [daemon({ kind: 'built-in' }), ['hook-not-set true']],
    [daemon({ kind: 'other', path: '/g', answer: 'guix offload 1' }, true), ['hook-other true', 'no-offload false']],
    [daemon({ kind: 'broken', path: '/g', answer: 'not found' }), ['hook-broken true']],
  ])('in the daemon %#', (seen, expected) => expect(shown(aboutDaemon(seen))).toEqual(expected))

  it('in the environment of clients', () => {
    expect(shown(aboutClient({}))).toEqual([])
    expect(shown(aboutClient({ GUIX_BUILD_OPTIONS: '--cores=4 --no-offloading' }))).toEqual([])
    expect(shown(aboutClient({ GUIX_BUILD_OPTIONS: '--cores=4  --no-offload' }))).toEqual(['client-no-offload false'])
  })

  it.each([
    ['x86_64-linux', '1', 1], ['i686-linux', '1', 1], ['aarch64-linux', '1', 0], ['x86_64-linux', '', 0], ['x86_64-linux', 'true', 0],
  ])('a derivation for %s with preferLocalBuild %j', (system, value, count) => {
    expect(aboutDerivation(derivation(system, ['preferLocalBuild', value]), 'x86_64-linux')).toHaveLength(count)
  })

  const facts: StoreFacts = { derivationValid: true, outputsMissing: ['/gnu/store/out'], inputsMissing: [], substitutable: [] }
  it.each<[Partial<StoreFacts>, string[]]>([
    [{}, []],
    [{ outputsMissing: [] }, ['built-already true']],
    [{ derivationValid: false }, ['derivation-not-valid true']],
    [{ substitutable: ['/gnu/store/out'] }, ['substitute-available false']],
    [{ substitutable: undefined }, ['substitutes-unknown false']],
    [{ inputsMissing: ['/gnu/store/a', '/gnu/store/b'] }, ['inputs-missing false']],
  ])('in the store: %j', (changes, expected) => expect(shown(aboutStore({ ...facts, ...changes }))).toEqual(expected))
})

describe('the facts of the store', () => {
  const ask = (valid: readonly string[], substitutes: () => Promise<string[]>, ...variables: [string, string][]) => {
    const log: string[] = []
    const open = async () => ({
      queryValidPaths: async (paths: readonly string[]) => paths.filter((path) => valid.includes(path)),
      querySubstitutablePaths: (paths: readonly string[]) => {
        log.push(`substitutes of ${paths.join(' ')}`)
        return substitutes()
      },
      close: () => void log.push('close'),
    })
    return storeFactsOf('/gnu/store/x.drv', derivation('s', ...variables), open, 20).then((facts) => ({ ...facts, log }))
  }

  it('are what is missing, and who has it', async () => {
    expect(await ask(['/gnu/store/x.drv', '/gnu/store/out'], async () => ['/gnu/store/lib'])).toEqual({
      derivationValid: true, outputsMissing: ['/gnu/store/lib'], inputsMissing: ['/gnu/store/source'], substitutable: ['/gnu/store/lib'], log: ['substitutes of /gnu/store/lib', 'close'],
    })
  })

  it.each<[string, () => Promise<string[]>]>([['are silent', () => new Promise(() => {})], ['fail', () => Promise.reject(new Error('no network'))]])('do without substitute servers that %s', async (_how, substitutes) => {
    expect(await ask([], substitutes)).toMatchObject({ substitutable: undefined, log: ['substitutes of /gnu/store/out /gnu/store/lib', 'close'] })
  })

  it('ask for no substitutes where there is nothing to substitute, or that is not wanted', async () => {
    expect((await ask(['/gnu/store/out', '/gnu/store/lib'], async () => [])).log).toEqual(['close'])
    expect((await ask([], async () => [], ['allowSubstitutes', '0'])).log).toEqual(['close'])
  })
})

describe('the answer', () => {
  const request: BuildRequest = { derivation: '', system: 'x86_64-linux', features: [], wantsLocal: true }
  const finding: Finding = { verdict: { machine: machine('b1'), code: 'overloaded', reason: 'load 0.90, must be below 0.80' } }
  const policy = { daemonSystem: 'x86_64-linux', onUnreachable: 'local' } as const
  const again = 'guix-daemon asks again every few seconds'

  it('names the machine and what speaks for it', () => {
    const verdict = { machine: machine('b1'), code: 'chosen', reason: 'speed 1, load 0.10, 5 GiB free' } as const
    const ranked = { place: 1, score: 1, reason: 'speed 1' }
    const other = (name: string, score: number) => ({ verdict: { ...verdict, machine: machine(name), code: 'not-needed' as const }, ranked: { ...ranked, score } })
    const survey = { kind: 'chosen' as const, machine: verdict.machine }
    const reason = 'b1 takes it: speed 1, load 0.10, 5 GiB free'
    expect(answerTo(request, { ...survey, findings: [{ verdict, ranked }, other('b2', 0.5)] }, policy)).toMatchObject({ reply: 'accept', reason })
    expect(answerTo(request, { ...survey, findings: [other('b2', 1), { verdict, ranked }, other('b3', 1)] }, policy).reason).toBe(`${reason}; or b2, b3, which rank the same`)
  })

  it.each([
    ['none', [], {}, policy, 'decline', 'there are no build machines; guix-daemon builds it on this host'],
    ['none', [finding], { system: 'armhf-linux' }, policy, 'decline', 'no machine can build this kind of derivation; guix-daemon tries on this host, which fails unless something here emulates armhf-linux'],
    ['none', [finding], { wantsLocal: false }, policy, 'decline', 'no machine can build this kind of derivation; guix-daemon may not build it itself (--max-jobs=0), so the build fails'],
    ['busy', [finding], {}, policy, 'postpone', `no machine that could build it can take it now; ${again}`],
    ['disabled', [finding], {}, policy, 'decline', 'people have disabled every machine that could build it; guix-daemon builds it on this host'],
    ['unreachable', [finding], {}, policy, 'decline', 'no machine that could build it can be used; guix-daemon builds it on this host'],
    ['unreachable', [finding], { wantsLocal: false }, policy, 'postpone', `no machine that could build it can be used; ${again}, since it may not build itself (--max-jobs=0)`],
    ['unreachable', [finding], { system: 'armhf-linux' }, policy, 'postpone', `no machine that could build it can be used; ${again}, since this host does not build for armhf-linux`],
    ['unreachable', [finding], {}, { ...policy, onUnreachable: 'wait' }, 'postpone', `no machine that could build it can be used; ${again}, since the configuration has onUnreachable: wait`],
  ] as const)('%s of %j with %j: %s', (kind, findings, changes, rules, reply, reason) => {
    expect(answerTo({ ...request, ...changes }, { kind, findings }, rules)).toEqual({ reply, reason })
  })
})
