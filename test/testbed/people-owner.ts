import { TestBed } from './bed.js'
import type { DaemonMode } from './daemon.js'
import { writeMachinesScm } from './machines-scm.js'
import { self } from './owner.js'
import { removeState, writeState } from './people-state.js'
import type { GuixVersion } from './root-recipe.js'

// Usage: people-owner.ts COUNT GUIX DAEMON HOOK. Owns the bed of the command for people until SIGTERM.
const [count = '2', guix = '1.5.0', daemon = 'root', hook = ''] = process.argv.slice(2)

const stop = new Promise<void>((resolve) => {
  process.once('SIGTERM', () => resolve())
  process.once('SIGINT', () => resolve())
})
const alive = setInterval(() => {}, 2 ** 30)

const bed = await TestBed.up({ name: 'people' })
try {
  const common = { guix: guix as GuixVersion, daemon: daemon as DaemonMode, sshd: true }
  const [master, ...builders] = await Promise.all([
    bed.machine({ ...common, name: 'master', maxJobs: 0, ...(hook === '' ? {} : { hook }) }),
    ...Array.from({ length: Number(count) - 1 }, (_, index) => bed.machine({ ...common, name: `build${index + 1}` })),
  ])
  for (const builder of builders) await bed.authorize(master, builder)
  await writeMachinesScm(master, builders)
  await writeState(await self(), [master, ...builders])
  await stop
  await removeState()
} finally {
  await bed.down()
  clearInterval(alive)
}
