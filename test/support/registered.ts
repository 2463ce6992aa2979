import type { ContributeHook, Factory, PluginHost, SchedulingStrategy } from '../../src/plugin-api/index.js'
import { pluginHost } from './plugin-host.js'

/** The strategies that a plugin contributes, made, by name. */
export async function registered(contribute: ContributeHook, host: PluginHost = pluginHost()): Promise<Record<string, SchedulingStrategy>> {
  const factories: Record<string, Factory<SchedulingStrategy>> = {}
  const unexpected = (kind: string) => (name: string) => {
    throw new Error(`a ${kind} called ${name} in a plugin of strategies`)
  }
  await contribute({
    registrar: { apiVersion: '1.0.0', transport: unexpected('transport'), machineSource: unexpected('machine source'), schedulingStrategy: (name, factory) => void (factories[name] = factory) },
  })
  return Object.fromEntries(await Promise.all(Object.entries(factories).map(async ([name, factory]) => [name, await factory(host)] as const)))
}
