import { join } from 'node:path'
import type { BuildMachine, PluginHost } from '../plugin-api/index.js'
import { errorFactory } from '../errors/error-factory.js'
import type { HookRunner } from '../plugin-host/gather-contributions.js'
import { container, instanceCachingFactory } from './injection.js'
import { stderrLog } from './stderr-log.js'
import { tokens, type Root, type Token } from './tokens.js'

/**
 * Puts the program together for one process: a child container, filled here and nowhere else. Nothing is read or loaded until it is asked for; the factories of
 * promises import what they need.
 */
export function composeRoot(plugins: HookRunner, variables: Readonly<Record<string, string | undefined>>): Root {
  const scope = container.createChildContainer()
  const root: Root = { resolve: (token) => scope.resolve(token) }
  const provide = <T>(token: Token<T>, make: (root: Root) => T) => scope.register(token, { useFactory: instanceCachingFactory(() => make(root)) })

  provide(tokens.log, () => stderrLog(variables))
  provide(tokens.environment, async () => (await import('../config/environment.js')).readEnvironment(variables))
  provide(tokens.configuration, async () => {
    const [{ loadConfiguration }, environment] = await Promise.all([import('../config/load-configuration.js'), root.resolve(tokens.environment)])
    return loadConfiguration(environment)
  })
  provide(tokens.contributions, async () => {
    const [{ gatherContributions }, { pluginHome }] = await Promise.all([import('../plugin-host/gather-contributions.js'), import('../plugin-host/plugin-index.js')])
    return gatherContributions(plugins, root.resolve(tokens.log), { home: pluginHome(variables) })
  })
  provideContributions(provide)
  provideUseCases(provide)
  return root
}

type Provide = <T>(token: Token<T>, make: (root: Root) => T) => void

/** What the configuration chooses among the contributions. */
function provideContributions(provide: Provide): void {
  provide(tokens.transportFor, async (root) => {
    const { configuration, contributions, host } = await chosenFrom(root)
    // A mistake in the default concerns every machine: told at once, not as each machine's failure.
    contributions.expect('transport', configuration.transport)
    // So is a transport of a third party that cannot be started. Those that come with the program are loaded when a machine is there to reach.
    if (contributions.installedPackage('transport', configuration.transport) !== undefined) await contributions.make('transport', configuration.transport, host(configuration.transport))
    return (machine: BuildMachine) => {
      const name = machine.settings?.transport ?? configuration.transport
      return contributions.make('transport', name, host(name))
    }
  })
  provide(tokens.schedulingStrategy, async (root) => {
    const { configuration, contributions, host } = await chosenFrom(root)
    return contributions.make('schedulingStrategy', configuration.scheduler, host(configuration.scheduler))
  })
  provide(tokens.machineSources, async (root) => {
    const { configuration, contributions, host } = await chosenFrom(root)
    return Promise.all(configuration.sources.map((name) => contributions.make('machineSource', name, host(name))))
  })
  provide(tokens.sourceContext, async (root) => {
    const { configurationDirectory, homeDirectory, stateDirectory, variables } = await root.resolve(tokens.environment)
    return { configurationDirectory, homeDirectory, stateDirectory: join(stateDirectory, 'offload'), environment: variables }
  })
}

function provideUseCases(provide: Provide): void {
  provide(tokens.listMachines, async (root) => {
    const [{ listMachines }, sources, context, configuration] = await Promise.all([
      import('../offload/list-machines.js'),
      root.resolve(tokens.machineSources),
      root.resolve(tokens.sourceContext),
      root.resolve(tokens.configuration),
    ])
    return listMachines({ sources, context, settings: configuration.machineSettings })
  })
  provide(tokens.decider, async (root) => (await import('./decider.js')).makeDecider(root))
  provide(tokens.testMachines, async (root) => (await import('./use-cases.js')).makeTestMachines(root))
  provide(tokens.showConfiguration, async (root) => (await import('./show-configuration.js')).makeShowConfiguration(root))
  provide(tokens.employMachines, async (root) => (await import('./use-cases.js')).makeEmployMachines(root))
  provide(tokens.healthOf, async (root) => (await import('./use-cases.js')).makeHealthOf(root))
  provide(tokens.readHistory, async (root) => (await import('./records.js')).makeReadHistory(root))
  provide(tokens.tellProvenance, async (root) => (await import('./records.js')).makeTellProvenance(root))
  provide(tokens.explain, async (root) => (await import('./use-cases.js')).makeExplain(root))
  provide(tokens.statusOfMachines, async (root) => (await import('./use-cases.js')).makeStatusOfMachines(root))
}

async function chosenFrom(root: Root) {
  const [configuration, contributions] = await Promise.all([root.resolve(tokens.configuration), root.resolve(tokens.contributions)])
  const host = (name: string): PluginHost => ({
    errors: errorFactory,
    log: root.resolve(tokens.log),
    options: configuration.plugins[name],
    scheme: async () => (await import('./scheme-toolkit.js')).loadSchemeToolkit(),
    readTrustedFile: async (path) => {
      const { readTrustedText } = await import('../config/trusted-file.js')
      return readTrustedText(path, { step: 'reading a file of code' })
    },
  })
  return { configuration, contributions, host }
}
