/** This plugin's section of the configuration file. */
import type { PluginHost } from 'guix-offload/plugin-api'

export interface Options {
  /** The `guix` to ask for what the built-in evaluator does not know; false: none. */
  readonly guix: string | false | undefined
  /** How long it may take, in seconds. */
  readonly guixTimeout: number
}

export function optionsOf(host: PluginHost): Options {
  const given: Readonly<Record<string, unknown>> = typeof host.options === 'object' && host.options !== null ? { ...host.options } : {}
  const refuse = (name: string, expected: string): never => {
    const seen = JSON.stringify(given[name])
    throw host.errors.configuration({ code: 'option-invalid', step: 'reading the options of machines-scm', problem: `${name} is wrong`, expected, seen })
  }
  for (const name of Object.keys(given)) if (name !== 'guix' && name !== 'guixTimeout') refuse(name, 'guix or guixTimeout')
  const { guix, guixTimeout = 30 } = given
  if (guix !== undefined && guix !== false && !(typeof guix === 'string' && guix.startsWith('/'))) return refuse('guix', 'an absolute path, or false')
  if (typeof guixTimeout !== 'number' || !(guixTimeout > 0 && guixTimeout <= 3600)) return refuse('guixTimeout', 'seconds, from 1 to 3600')
  return { guix, guixTimeout }
}
