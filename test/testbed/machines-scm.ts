import { currentSystem } from './derivation-scheme.js'
import type { Machine } from './machine.js'

/** Fields of one entry of /etc/guix/machines.scm. What is left out takes the bed's value or, for the optional ones, Guix's default. */
export interface MachineFields {
  readonly name?: string
  readonly port?: number
  readonly systems?: readonly string[]
  readonly user?: string
  readonly hostKey?: string
  /** Path on the master. */
  readonly privateKey?: string
  readonly compression?: string
  readonly compressionLevel?: number
  readonly daemonSocket?: string
  /** false is `#f`: the load is not looked at. */
  readonly overloadThreshold?: number | false
  readonly parallelBuilds?: number
  readonly speed?: number
  readonly features?: readonly string[]
}

const string = (text: string) => `"${text.replace(/[\\"]/g, '\\$&')}"`
const strings = (texts: readonly string[]) => `(list ${texts.map(string).join(' ')})`
const float = (value: number) => (Number.isInteger(value) ? value.toFixed(1) : String(value))

const entry = (fields: Required<Pick<MachineFields, 'name' | 'systems' | 'user' | 'hostKey' | 'privateKey'>> & MachineFields) => {
  const threshold = fields.overloadThreshold
  const clauses: [string, string | undefined][] = [
    ['name', string(fields.name)],
    ['port', fields.port?.toString()],
    ['systems', strings(fields.systems)],
    ['user', string(fields.user)],
    ['host-key', string(fields.hostKey)],
    ['private-key', string(fields.privateKey)],
    ['compression', fields.compression === undefined ? undefined : string(fields.compression)],
    ['compression-level', fields.compressionLevel?.toString()],
    ['daemon-socket', fields.daemonSocket === undefined ? undefined : string(fields.daemonSocket)],
    ['overload-threshold', threshold === undefined ? undefined : threshold === false ? '#f' : float(threshold)],
    ['parallel-builds', fields.parallelBuilds?.toString()],
    ['speed', fields.speed === undefined ? undefined : float(fields.speed)],
    ['features', fields.features === undefined ? undefined : strings(fields.features)],
  ]
  return ` (build-machine\n${clauses.flatMap(([name, value]) => (value === undefined ? [] : [`  (${name} ${value})`])).join('\n')})`
}

/**
 * Writes /etc/guix/machines.scm on a master: one entry per machine, with `overrides` for all or `[machine, fields]` for one. The load threshold
 * is off unless asked for, as all machines of a bed share the host's load. Installs the bed's user key on the master unless `privateKey` is given.
 */
export const writeMachinesScm = async (
  master: Machine,
  machines: readonly (Machine | readonly [Machine, MachineFields])[],
  overrides: MachineFields = {},
) => {
  const privateKey = overrides.privateKey ?? (await master.installUserKey())
  const entries = machines.map((item) => {
    const [machine, own] = 'name' in item ? [item, {}] : item
    const { name, hostKey } = machine
    const defaults = { name, systems: [currentSystem], user: 'root', hostKey, privateKey, overloadThreshold: false as const }
    return entry({ ...defaults, ...overrides, ...own })
  })
  await master.writeFile('/etc/guix/machines.scm', `(list\n${entries.join('\n')})\n`)
}
