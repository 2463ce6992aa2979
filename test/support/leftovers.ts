/** Whether an offload that was cut short has left anything on a machine: processes, locks, temporary items, taken slots. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Machine } from '../testbed/machine.js'
import { waitFor } from '../testbed/wait.js'
import { buildersWith, hookProcesses } from './master-view.js'
import type { Farm } from './farm.js'

/** Entries of the store that its daemon does not know. The lock file of a build that failed stays, wherever it was built; guix-daemon itself leaves it. */
export async function strangersInStore(machine: Machine): Promise<string[]> {
  const answer = await machine.repl(`(use-modules (guix store) (ice-9 ftw) (srfi srfi-1))
(with-store store
  (for-each (lambda (name)
              (let ((path (string-append "/gnu/store/" name)))
                (unless (or (member name '("." ".." ".links")) (string-suffix? ".lock" name)
                            (false-if-exception (valid-path? store path)))
                  (format #t "stranger ~a\\n" name))))
            (scandir "/gnu/store")))`)
  return answer.split('\n').flatMap((line) => (line.startsWith('stranger ') ? [line.slice('stranger '.length)] : []))
}

/**
 * The same where builds may have been interrupted: a guix-daemon that is interrupted once more while it removes the folder of its chroot leaves it to its next collection. It is
 * held to that; all else is as strange as ever.
 */
export async function strangersAfterInterruption(machine: Machine): Promise<string[]> {
  const strangers = await strangersInStore(machine)
  if (strangers.length === 0 || !strangers.every((name) => name.endsWith('.drv.chroot'))) return strangers
  console.info(`${machine.name} collects ${strangers.join(' ')}`)
  // The least that can be asked for: what is not valid is removed first.
  await machine.guixCommand(['gc', '--collect-garbage=1'])
  return strangersInStore(machine)
}

/** Lock files of the store that somebody holds, asked of the kernel. */
export async function heldStoreLocks(machine: Machine): Promise<string[]> {
  const names = (await machine.sh('cd /gnu/store; ls -A | grep "[.]lock$" || true')).split('\n').filter((name) => name !== '')
  const table = await readFile('/proc/locks', 'utf8')
  const held = await Promise.all(names.map(async (name) => {
    const { ino } = await stat(join(machine.rootDir, 'gnu/store', name)).catch(() => ({ ino: -1 }))
    return table.includes(`:${ino} `) ? name : undefined
  }))
  return held.filter((name) => name !== undefined)
}

/** Processes on a machine that serve somebody: what guix-daemon and the SSH server have started for a connection and what that started. */
export async function servants(machine: Machine): Promise<string[]> {
  const daemon = machine.daemon.pid
  const servers = machine.sshServerPids
  const rows = await machine.processes()
  return rows
    .filter(({ hostPid, command }) => hostPid !== daemon && !servers.includes(hostPid) && /guix|sshd|authenticate|archive/.test(command.join(' ')) && command[0] !== 'nsenter')
    .map(({ command }) => command.join(' '))
}

/** Slots our own bookkeeping and stock's would call taken, by the locks on their files. */
export async function takenSlots(farm: Farm): Promise<string[]> {
  const files = (await farm.master.sh('find /var/guix/offload -path "*:*" -name "[0-9]*" -type f')).split('\n').filter((name) => name !== '')
  const table = await readFile('/proc/locks', 'utf8')
  const taken = await Promise.all(files.map(async (file) => {
    const { ino } = await stat(join(farm.master.rootDir, file))
    return table.includes(`:${ino} `) ? file : undefined
  }))
  return taken.filter((file) => file !== undefined)
}

/**
 * Waits until both sides are as they were before; resolves to the milliseconds that took. A temporary item of a killed hook stays in the master's store until the next
 * hook finds it by its journal: that it has one is checked.
 */
export async function settledAfterKill(farm: Farm, machine: Machine, marker: string, seconds = 5): Promise<number> {
  const { master } = farm
  const started = performance.now()
  const limit = seconds * 1000
  await waitFor('the hook to be gone', async () => (await hookProcesses(master)).length === 0, limit)
  await waitFor('the slot to be free', async () => (await takenSlots(farm)).length === 0, limit)
  await waitFor(`the builder on ${machine.name} to be gone`, async () => (await buildersWith(marker)).length === 0, limit)
  await waitFor(`${machine.name} to be idle`, async () => (await servants(machine)).length === 0, limit).catch(async (error: unknown) => {
    throw new Error(`${String(error)}: ${(await servants(machine)).join('; ')}`)
  })
  const milliseconds = performance.now() - started
  for (const each of [master, machine]) {
    const locks = await heldStoreLocks(each)
    if (locks.length > 0) throw new Error(`locks held on ${each.name}: ${locks.join(' ')}`)
  }
  const there = await strangersAfterInterruption(machine)
  if (there.length > 0) throw new Error(`left in the store of ${machine.name}: ${there.join(' ')}`)
  const folders = await machine.sh('ls -d /tmp/guix-build-* 2> /dev/null || true')
  if (folders !== '') throw new Error(`build folders left on ${machine.name}: ${folders}`)
  const journals = await master.sh('cat /var/guix/offload/arriving/* 2> /dev/null || true')
  const here = (await strangersInStore(master)).filter((name) => !journals.includes(`/gnu/store/${name}\n`) && !journals.endsWith(`/gnu/store/${name}`))
  if (here.length > 0) throw new Error(`left in the store of ${master.name}, and not in a journal: ${here.join(' ')}`)
  return Math.round(milliseconds)
}

/** Nothing whatever of an offload is left on the master. */
export async function leftOnMaster({ master }: Farm): Promise<string[]> {
  const journals = (await master.sh('ls -A /var/guix/offload/arriving 2> /dev/null || true')).split('\n').filter((name) => name !== '')
  return [...await strangersInStore(master), ...journals]
}
