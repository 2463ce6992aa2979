import { nearestName } from '../config/nearest-name.js'
import { settingsByName } from '../config/machine-settings.js'
import { ConfigurationError } from '../errors/offload-error.js'
import type { BuildMachine } from '../plugin-api/index.js'
import { machineId } from './machine-id.js'

/**
 * The machines that people mean by names, `NAME:PORT` or patterns such as `b*`, each once, in their own order. Host names have no case.
 * @throws ConfigurationError `machine-unknown` for a word that means none
 */
export async function machinesNamed(machines: readonly BuildMachine[], words: readonly string[]): Promise<BuildMachine[]> {
  const wanted = new Set<string>()
  for (const word of words) {
    const lower = word.toLowerCase()
    const exact = machines.filter((machine) => machine.name.toLowerCase() === lower || machineId(machine).toLowerCase() === lower)
    const meant = exact.length > 0 ? exact : await matching(machines, word)
    if (meant.length === 0) throw unknown(word, machines)
    for (const machine of meant) wanted.add(machineId(machine))
  }
  // A machine may be listed once for each of its systems.
  return machines.filter((machine) => wanted.delete(machineId(machine)))
}

/** By the same patterns as in the configuration file. */
async function matching(machines: readonly BuildMachine[], pattern: string): Promise<BuildMachine[]> {
  if (!/[*?{[(!]/.test(pattern)) return []
  const settings = await settingsByName([[pattern, { disabled: true }]])
  return machines.filter((machine) => settings(machine.name).disabled === true || settings(machineId(machine)).disabled === true)
}

function unknown(word: string, machines: readonly BuildMachine[]): ConfigurationError {
  const near = nearestName(word, [...new Set(machines.flatMap((machine) => [machine.name, machineId(machine)]))])
  return new ConfigurationError({
    code: 'machine-unknown',
    step: 'finding the machine',
    problem: `there is no build machine ${JSON.stringify(word)}${near === undefined ? '' : `, did you mean ${near}?`}`,
    cure: '`guix-offload machines` lists them all',
  })
}
