/** The `ssh` on a master that transport openssh shares between hooks, one for each build machine. */
import type { Machine } from '../testbed/machine.js'
import { signalProcess } from '../testbed/processes.js'

const isControlMaster = (command: readonly string[]) =>
  /(^|\/)ssh(:|$)/.test(command[0] ?? '') && (command.includes('-M') || command[0]?.includes('[mux]') === true)

/** It stays for a minute for those that come within that time: this ends it. */
export async function endControlMasters(master: Machine): Promise<void> {
  for (const { hostPid, command } of await master.processes()) if (isControlMaster(command)) signalProcess(hostPid, 'SIGTERM')
}

/** Without a word to those that use it; false if there is none. */
export async function killControlMaster(master: Machine, to: string): Promise<boolean> {
  const running = (await master.processes()).filter(({ command }) => isControlMaster(command) && command.at(-1) === to)
  for (const { hostPid } of running) signalProcess(hostPid, 'SIGKILL')
  return running.length > 0
}
