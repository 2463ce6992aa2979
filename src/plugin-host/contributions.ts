import { ConfigurationError, OffloadError } from '../errors/offload-error.js'
import type { PluginHost } from '../plugin-api/index.js'
import { kindNames, pluginFailed, type Contribution, type Kind, type Kinds, type PluginFailure } from './contribution.js'
import { nearestName } from '../config/nearest-name.js'

/** Everything the plugins brought, sorted by name. Factories run on first use and once. */
export class Contributions {
  private readonly known = new Map<string, Contribution>()
  private readonly made = new Map<string, Promise<Kinds[Kind]>>()
  private readonly failures: readonly PluginFailure[]

  /** @throws ConfigurationError when two packages take one name. */
  constructor(contributions: readonly Contribution[], failures: readonly PluginFailure[] = []) {
    this.failures = failures
    for (const contribution of [...contributions].sort(byNameThenPackage)) {
      const key = keyOf(contribution.kind, contribution.name)
      const other = this.known.get(key)
      if (other !== undefined) throw clash(other, contribution)
      this.known.set(key, contribution)
    }
  }

  names(kind: Kind): readonly string[] {
    return [...this.known.values()].filter((contribution) => contribution.kind === kind).map(({ name }) => name)
  }

  /** What each package brings, for people. */
  of(packageName: string): readonly { readonly kind: string; readonly name: string }[] {
    return [...this.known.values()].filter((contribution) => contribution.package === packageName).map(({ kind, name }) => ({ kind: kindNames[kind], name }))
  }

  /** Why that package is left out; undefined if it is not. */
  failureOf(packageName: string): string | undefined {
    return this.failures.find((failure) => failure.package === packageName)?.reason
  }

  /** The package that brings it, if somebody has installed that; undefined for what comes with the program. */
  installedPackage(kind: Kind, name: string): string | undefined {
    const contribution = this.known.get(keyOf(kind, name))
    return contribution?.installed === true ? contribution.package : undefined
  }

  /** @throws ConfigurationError when there is none of that name */
  expect(kind: Kind, name: string): void {
    if (!this.known.has(keyOf(kind, name))) throw this.unknown(kind, name)
  }

  /**
   * The contribution of that name, made on the first call.
   * @throws ConfigurationError when there is none, or when it cannot be made.
   */
  async make<K extends Kind>(kind: K, name: string, host: PluginHost): Promise<Kinds[K]> {
    const key = keyOf(kind, name)
    const contribution = this.known.get(key)
    if (contribution === undefined) throw this.unknown(kind, name)
    const made = this.made.get(key) ?? build(contribution, host)
    this.made.set(key, made)
    return made as Promise<Kinds[K]>
  }

  private unknown(kind: Kind, name: string): ConfigurationError {
    const names = this.names(kind)
    const nearest = nearestName(name, names)
    const hints = [
      nearest === undefined ? undefined : `Did you mean '${nearest}'?`,
      names.length === 0 ? `No ${kindNames[kind]} is installed` : `There is ${names.join(', ')}`,
      ...this.failures.map((failure) => `Plugin ${failure.package} failed (${failure.reason}) and may be the one that brings it`),
    ]
    return new ConfigurationError({
      // Nothing is misspelt, perhaps: the hook tells the two apart.
      code: this.failures.length > 0 && nearest === undefined ? 'plugin-needed' : `unknown-${kindNames[kind].replace(' ', '-')}`,
      step: `choosing the ${kindNames[kind]}`,
      problem: `the configuration asks for '${name}', which no plugin brings`,
      cure: hints.filter((hint) => hint !== undefined).join(' '),
    })
  }
}

function keyOf(kind: Kind, name: string): string {
  return `${kind} ${name}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function byNameThenPackage(a: Contribution, b: Contribution): number {
  return compare(a.name, b.name) || compare(a.package, b.package)
}

async function build(contribution: Contribution, host: PluginHost): Promise<Kinds[Kind]> {
  try {
    const made = await contribution.factory(host)
    if (contribution.installed !== true) return made
    const { guarded } = await import('./guarded-contribution.js')
    return guarded(contribution, made)
  } catch (error) {
    if (error instanceof OffloadError) throw error
    throw pluginFailed(contribution, 'starting', error)
  }
}

function clash(first: Contribution, second: Contribution): ConfigurationError {
  return new ConfigurationError({
    code: 'contribution-clash',
    step: 'gathering contributions',
    problem: `${kindNames[first.kind]} '${first.name}' is brought by two packages, ${first.package} and ${second.package}`,
    cure: 'Uninstall one of them',
  })
}
