import type { ConfigurationDescription, DescribedValue, Origin } from '../config/describe-configuration.js'
import { nameMatcher } from '../config/machine-settings.js'
import { nearestName } from '../config/nearest-name.js'
import { machineId } from '../machines/machine-id.js'
import type { BuildMachine } from '../plugin-api/index.js'

export interface ConfigurationReport {
  /** Undefined: there is no configuration file. */
  readonly file: string | undefined
  readonly values: readonly DescribedValue[]
  /** Which machines, as `NAME:PORT`, each key of `machines` is about; undefined: they cannot be listed. */
  readonly patterns: readonly { readonly pattern: string; readonly origin: Origin; readonly machines: readonly string[] | undefined }[]
  /** What is allowed but has no effect, or will fail once it is used. */
  readonly warnings: readonly { readonly code: string; readonly message: string; readonly origin: Origin }[]
}

/** Names of what the plugins bring. */
export interface InstalledNames {
  readonly transports: readonly string[]
  readonly schedulers: readonly string[]
  readonly sources: readonly string[]
}

/** Looks at a configuration in the light of the plugins and machines there are. */
export async function showConfiguration(
  description: ConfigurationDescription, installed: InstalledNames, machines: readonly BuildMachine[] | undefined,
): Promise<ConfigurationReport> {
  const patterns = await Promise.all(description.patterns.map(async ({ pattern, origin }) => {
    const matches = await nameMatcher(pattern)
    return { pattern, origin, machines: machines === undefined ? undefined : [...new Set(machines.filter(({ name }) => matches(name)).map(machineId))] }
  }))
  const { file, values } = description
  return {
    file,
    values,
    patterns,
    warnings: [
      ...values.flatMap((value) => unknownChoices(value, installed)),
      ...description.sections.flatMap(({ name, origin }) => unknown('contribution', name, [...installed.transports, ...installed.schedulers, ...installed.sources], origin)),
      ...patterns.filter((pattern) => pattern.machines?.length === 0).map(({ pattern, origin }) => ({ code: 'no-machine-matches', message: `machines.${pattern}: no machine has a name like that`, origin })),
    ],
  }
}

function unknownChoices({ path, value, origin }: DescribedValue, { transports, schedulers, sources }: InstalledNames) {
  const [group, , key] = path
  if (typeof value === 'string' && (group === 'transport' || (group === 'machines' && key === 'transport'))) return unknown('transport', value, transports, origin)
  if (typeof value === 'string' && group === 'scheduler') return unknown('scheduling strategy', value, schedulers, origin)
  if (group !== 'sources' || !Array.isArray(value)) return []
  return value.flatMap((name) => unknown('machine source', String(name), sources, origin))
}

function unknown(kind: string, name: string, known: readonly string[], origin: Origin) {
  if (known.includes(name)) return []
  const near = nearestName(name, known)
  const hint = near === undefined ? `there is ${known.join(', ')}` : `did you mean '${near}'?`
  return [{ code: `unknown-${kind.replace(' ', '-')}`, message: `no plugin brings a ${kind} '${name}'; ${hint}`, origin }]
}
