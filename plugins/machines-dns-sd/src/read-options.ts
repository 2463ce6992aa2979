import type { PluginHost } from 'guix-offload/plugin-api'
import { defaults, type Options } from './options.js'

/** @throws OffloadFailure of kind configuration, which names the key and what it should be */
export async function readOptions(host: PluginHost): Promise<Options> {
  if (host.options === undefined || host.options === null) return defaults
  const { checkOptions } = await import('./options-schema.js')
  const result = checkOptions(host.options)
  if ('value' in result) return result.value
  const { path, problem, expected, seen } = result
  const subject = ['plugins', 'dns-sd', ...path].join('.')
  throw host.errors.configuration({ code: 'option-invalid', step: 'reading the options of dns-sd', problem, expected, seen, subject })
}
