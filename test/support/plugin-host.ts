import { readFile } from 'node:fs/promises'
import { errorFactory } from '../../src/errors/error-factory.js'
import type { BuildMachine, PluginHost } from '../../src/plugin-api/index.js'

/** What a plugin gets, with its messages kept for the test to look at. */
export function pluginHost(messages: string[] = []): PluginHost {
  const keep = (level: string) => (message: string): void => void messages.push(`${level}: ${message}`)
  return { errors: errorFactory, log: { debug: keep('debug'), info: keep('info'), warn: keep('warn') }, options: undefined, scheme: async () => (await import('../../src/scheme/toolkit.js')).schemeToolkit, readTrustedFile: (path) => readFile(path, 'utf8') }
}

/** A machine on this computer. */
export function buildMachine(fields: Partial<BuildMachine> & Pick<BuildMachine, 'hostKey'>): BuildMachine {
  return {
    name: '127.0.0.1',
    port: 22,
    systems: ['x86_64-linux'],
    user: 'builder',
    daemonSocket: '/var/guix/daemon-socket/socket',
    overloadThreshold: 0.8,
    parallelBuilds: 1,
    speed: 1,
    features: [],
    source: 'test',
    ...fields,
  }
}
