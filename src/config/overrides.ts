import { ConfigurationError } from '../errors/offload-error.js'
import type { Configuration } from './configuration.js'
import { nearestName } from './nearest-name.js'

/**
 * Environment variables that win over the configuration file's defaults for all machines, so that something can be tried without writing to `/etc`. They choose among what is installed
 * and name no file: whoever sets the environment of guix-daemon could do worse, but nobody should be tempted to.
 */
export const overrides = {
  transport: 'GUIX_OFFLOAD_TRANSPORT',
  scheduler: 'GUIX_OFFLOAD_SCHEDULER',
  onUnreachable: 'GUIX_OFFLOAD_ON_UNREACHABLE',
} as const
export type Overridable = keyof typeof overrides

type Variables = Readonly<Record<string, string | undefined>>
const choices = ['local', 'wait'] as const

/** Those that are set; the empty string means unset. */
export function overriding(variables: Variables): Partial<Record<Overridable, string>> {
  return Object.fromEntries(Object.entries(overrides).flatMap(([key, variable]) => {
    const value = variables[variable] ?? ''
    return value === '' ? [] : [[key, value]]
  }))
}

/** @throws ConfigurationError `environment-invalid` */
export function withOverrides(configuration: Configuration, variables: Variables): Configuration {
  const { transport = configuration.transport, scheduler = configuration.scheduler, onUnreachable = configuration.onUnreachable } = overriding(variables)
  const choice = choices.find((known) => known === onUnreachable)
  if (choice === undefined) throw invalid(onUnreachable)
  return { ...configuration, transport, scheduler, onUnreachable: choice }
}

function invalid(seen: string): ConfigurationError {
  const near = nearestName(seen, choices)
  return new ConfigurationError({
    code: 'environment-invalid', step: 'reading the environment', subject: overrides.onUnreachable, problem: `wrong value${near === undefined ? '' : `, did you mean \`${near}\`?`}`,
    expected: choices.join(' or '), seen: JSON.stringify(seen), cure: 'Correct or unset it',
  })
}
