import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { composeRoot } from '../../../src/container/composition-root.js'
import { tokens } from '../../../src/container/tokens.js'
import { ConfigurationError } from '../../../src/errors/offload-error.js'
import type { BuildMachine, ContributeHook } from '../../../src/plugin-api/index.js'
import type { HookRunner } from '../../../src/plugin-host/gather-contributions.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'composition-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** One package with that hook, and how often it was asked. */
function plugins(hook: ContributeHook) {
  const asked: string[] = []
  const runner = {
    plugins: new Map([['p', { name: 'p', hooks: { 'offload:contribute': [] } }]]),
    runHook: async (event: string, options: Parameters<ContributeHook>[0]) => {
      asked.push(event)
      await hook(options)
      return { successes: [], failures: [] }
    },
  }
  return { asked, runner: runner as unknown as HookRunner }
}

const transport = (name: string) => ({ name, connect: () => Promise.reject(new Error('not used')) })
const machine = (name: string, settings?: BuildMachine['settings']) => ({ name, settings }) as BuildMachine

describe('the composition root', () => {
  it('reads and loads nothing before it is asked', async () => {
    const { asked, runner } = plugins(() => undefined)
    const root = composeRoot(runner, { GUIX_CONFIGURATION_DIRECTORY: folder })
    root.resolve(tokens.log)
    expect((await root.resolve(tokens.environment)).configurationDirectory).toBe(folder)
    expect(asked).toEqual([])
  })

  it('asks the plugins once for everything', async () => {
    const { asked, runner } = plugins(({ registrar }) => {
      registrar.schedulingStrategy('guix', () => ({ name: 'guix', rank: () => [] }))
      registrar.transport('ssh2', () => transport('ssh2'))
    })
    const root = composeRoot(runner, { GUIX_CONFIGURATION_DIRECTORY: folder })
    const [strategy] = await Promise.all([root.resolve(tokens.schedulingStrategy), root.resolve(tokens.transportFor)])
    expect(strategy.name).toBe('guix')
    expect(asked).toEqual(['offload:contribute'])
  })

  it('keeps the type of what goes wrong', async () => {
    const { runner } = plugins(() => undefined)
    const root = composeRoot(runner, { GUIX_CONFIGURATION_DIRECTORY: folder })
    await expect(root.resolve(tokens.machineSources)).rejects.toBeInstanceOf(ConfigurationError)
    await expect(root.resolve(tokens.listMachines)).rejects.toMatchObject({ code: 'unknown-machine-source' })
    // The default one, before any machine asks for it.
    await expect(root.resolve(tokens.transportFor)).rejects.toMatchObject({ code: 'unknown-transport' })
    writeFileSync(join(folder, 'offload.json'), '{ "transprot": "x" }')
    await expect(composeRoot(runner, { GUIX_CONFIGURATION_DIRECTORY: folder }).resolve(tokens.configuration)).rejects.toBeInstanceOf(ConfigurationError)
  })

  it('gives each machine its transport, the default one unless its settings name another, made once', async () => {
    writeFileSync(join(folder, 'offload.json'), '{ "transport": "one" }')
    const { runner } = plugins(({ registrar }) => {
      for (const name of ['one', 'two']) registrar.transport(name, () => transport(name))
    })
    const transportFor = await composeRoot(runner, { GUIX_CONFIGURATION_DIRECTORY: folder }).resolve(tokens.transportFor)
    expect((await transportFor(machine('a'))).name).toBe('one')
    expect((await transportFor(machine('b', { transport: 'two' }))).name).toBe('two')
    expect(await transportFor(machine('c'))).toBe(await transportFor(machine('a')))
    await expect(transportFor(machine('d', { transport: 'oen' }))).rejects.toThrow(/'oen'.*Did you mean 'one'/)
  })
})
