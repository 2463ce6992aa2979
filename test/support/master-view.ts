/** What is to be seen on a master from outside the program: its hooks, the logs guix-daemon kept, what was left behind. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import type { Machine } from '../testbed/machine.js'
import { commandLine, processTable } from '../testbed/processes.js'

export interface HookProcess {
  readonly hostPid: number
  /** Largest resident size so far. */
  readonly peakMebibytes: number
}

/** Our hook's processes on the machine, whatever they do. */
export async function hookProcesses(machine: Machine): Promise<HookProcess[]> {
  const hooks = (await machine.processes()).filter(({ command }) => command.includes('offload') && command.some((word) => word.endsWith('/bin/run.js')))
  return Promise.all(
    hooks.map(async ({ hostPid }) => {
      const status = await readFile(`/proc/${hostPid}/status`, 'utf8').catch(() => '')
      return { hostPid, peakMebibytes: Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024 }
    }),
  )
}

/** The log that guix-daemon kept of a build: what the hook wrote on its descriptor 4, byte for byte. */
export async function logBytes(machine: Machine, derivation: string): Promise<Buffer> {
  const name = derivation.slice('/gnu/store/'.length)
  const file = `/var/log/guix/drvs/${name.slice(0, 2)}/${name.slice(2)}.gz`
  const packed = await machine.spawn(['cat', file], { encoding: 'buffer', maxBuffer: 512 * 2 ** 20 })
  return gunzipSync(packed.stdout)
}

/** A command for the beginning of a builder's script that does nothing, by which {@link buildersWith} finds its processes. */
export const uniqueMarker = (): string => `: builder-${randomBytes(8).toString('hex')}`

/** Host pids of what runs with that marker on its command line. Builders have a PID namespace each, so the whole host is looked at. */
export async function buildersWith(marker: string): Promise<number[]> {
  const running = (await processTable()).filter(({ state }) => state !== 'Z')
  const found = await Promise.all(running.map(async ({ pid }) => ((await commandLine(pid)).some((word) => word.startsWith(marker)) ? pid : undefined)))
  return found.filter((pid) => pid !== undefined)
}
