import { join } from 'node:path'
import type { Root } from '../../container/tokens.js'
import { tokens } from '../../container/tokens.js'
import type { MachineFiles } from '../../offload/setup/access-warnings.js'

/** The files that the machines of this host need. A list that cannot be had is no reason to stop a set-up. */
export async function machineFiles(root: Root, signal: AbortSignal): Promise<MachineFiles> {
  try {
    const { configurationDirectory } = await root.resolve(tokens.sourceContext)
    const { machines } = await (await root.resolve(tokens.listMachines)).run({}, signal)
    const usual = ['machines.scm', 'offload.yaml', 'offload.yml', 'offload.json', 'offload.js'].map((name) => join(configurationDirectory, name))
    return {
      configuration: [...new Set([...usual, ...machines.flatMap(({ location }) => (location === undefined ? [] : [location.file]))])],
      privateKeys: machines.map(({ name, port, privateKey }) => ({ machine: `${name}:${port}`, path: privateKey })),
    }
  } catch (error) {
    return { configuration: [], privateKeys: [], problem: error instanceof Error ? error.message : String(error) }
  }
}
