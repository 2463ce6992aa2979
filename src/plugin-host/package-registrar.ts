import { ConfigurationError } from '../errors/offload-error.js'
import type { Factory, MachineSource, Registrar, SchedulingStrategy, Transport } from '../plugin-api/index.js'
import { apiVersion } from './api-version.js'
import { kindNames, type Contribution, type Kind, type Kinds } from './contribution.js'

/**
 * The registrar that one package's hook gets. One for each package, since oclif does not tell a hook's callee who calls.
 * After `close` it takes nothing more: a hook that was given up must not bring things later.
 */
export class PackageRegistrar implements Registrar {
  readonly apiVersion = apiVersion
  readonly contributions: Contribution[] = []
  private closed = false

  /** @param installed whether somebody has installed that package, besides those that the program brings */
  constructor(private readonly packageName: string, private readonly installed = false) {}

  transport(name: string, factory: Factory<Transport>): void {
    this.add('transport', name, factory)
  }

  schedulingStrategy(name: string, factory: Factory<SchedulingStrategy>): void {
    this.add('schedulingStrategy', name, factory)
  }

  machineSource(name: string, factory: Factory<MachineSource>): void {
    this.add('machineSource', name, factory)
  }

  close(): void {
    this.closed = true
  }

  private add<K extends Kind>(kind: K, name: string, factory: Factory<Kinds[K]>): void {
    if (this.closed) throw this.refusal('contribution-too-late', `${kindNames[kind]} '${name}' came after the hook's time was up`)
    if (typeof name !== 'string' || name === '') throw this.refusal('contribution-invalid', `a ${kindNames[kind]} needs a name`)
    if (typeof factory !== 'function') throw this.refusal('contribution-invalid', `the factory of ${kindNames[kind]} '${name}' is not a function`)
    if (this.contributions.some((other) => other.kind === kind && other.name === name)) {
      throw this.refusal('contribution-twice', `${kindNames[kind]} '${name}' is contributed twice`)
    }
    const contribution: Contribution<K> = { kind, name, package: this.packageName, installed: this.installed, factory }
    this.contributions.push(contribution)
  }

  private refusal(code: string, problem: string): ConfigurationError {
    return new ConfigurationError({ code, step: 'gathering contributions', problem, subject: this.packageName, cure: 'Report it to the makers of that package' })
  }
}
