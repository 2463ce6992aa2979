import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { join } from 'node:path'
import type { MachineFiles } from '../../offload/setup/access-warnings.js'

/** The parts of `machines --json` that are used here. */
interface ListedMachine {
  readonly name: string
  readonly port: number
  readonly privateKey: string | null
  readonly location: { readonly file: string } | null
}

/**
 * The files that the machines of this host need. Asked of `guix-offload machines`, which looks with the eyes of the daemon's user, as the hook will; set-up itself stays root. A
 * list that cannot be had is no reason to stop a set-up.
 */
export async function machineFiles(node: string, program: string, configurationDirectory: string, signal: AbortSignal): Promise<MachineFiles> {
  const usual = ['machines.scm', 'offload.yaml', 'offload.yml', 'offload.json', 'offload.js', 'offload-known-hosts'].map((name) => join(configurationDirectory, name))
  try {
    const machines = await listed(node, program, signal)
    return {
      configuration: [...new Set([...usual, ...machines.flatMap(({ location }) => (location === null ? [] : [location.file]))])],
      privateKeys: machines.map(({ name, port, privateKey }) => ({ machine: `${name}:${port}`, path: privateKey ?? undefined })),
    }
  } catch (error) {
    return { configuration: usual, privateKeys: [], problem: error instanceof Error ? error.message : String(error) }
  }
}

async function listed(node: string, program: string, signal: AbortSignal): Promise<readonly ListedMachine[]> {
  // It exits with 1 where some entries are wrong; what it prints is a list all the same.
  const answer = await promisify(execFile)(node, [program, 'machines', '--json'], { signal, maxBuffer: 64 * 2 ** 20 }).then(
    ({ stdout }) => stdout,
    (error: unknown) => (error as { stdout?: string }).stdout ?? '',
  )
  const value = JSON.parse(answer) as { readonly machines: readonly ListedMachine[] } | { readonly error: { readonly message: string } }
  if ('error' in value) throw new Error(value.error.message)
  return value.machines
}
