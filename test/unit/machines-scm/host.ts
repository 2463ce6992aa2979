import { readFile } from 'node:fs/promises'
import type { MachineList, OffloadFailure, PluginHost, SourceContext } from '../../../src/plugin-api/index.js'
import { errorFactory } from '../../../src/errors/error-factory.js'
import { schemeToolkit } from '../../../src/scheme/toolkit.js'
import { createSource } from '../../../plugins/machines-scm/src/source.js'

export const fixture = (name: string): string => new URL(`../../fixtures/machines-scm/${name}`, import.meta.url).pathname

export function hostFor(logged: string[] = [], options?: unknown): PluginHost {
  const log = (line: string): void => { logged.push(line) }
  return {
    errors: errorFactory,
    log: { debug: log, info: log, warn: log },
    options,
    scheme: async () => schemeToolkit,
    readTrustedFile: (path) => readFile(path, 'utf8'),
  }
}

export function contextFor(file?: string, configurationDirectory = '/nonexistent'): SourceContext {
  return { signal: new AbortController().signal, file, configurationDirectory, homeDirectory: '/home/bob', environment: { HOME: '/elsewhere', OFFLOAD_USER: undefined } }
}

export async function listing(name: string, host = hostFor()): Promise<MachineList> {
  return createSource(host).list(contextFor(fixture(name)))
}

export async function failing(name: string, host = hostFor()): Promise<OffloadFailure> {
  const result: unknown = await listing(name, host).catch((error: unknown) => error)
  if (!errorFactory.is(result)) throw new Error(`no failure: ${JSON.stringify(result)}`)
  return result
}
