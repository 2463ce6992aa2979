import { TestBed } from './bed.js'

// A process that owns a bed until it is killed: prints what it made, then waits.
const bed = await TestBed.up({ name: 'doomed' })
const machine = await bed.machine({ name: 'doomed', sshd: true })
for (const user of ['root', 'alice'] as const) machine.run(['sleep', '1000'], { user, reject: false }).catch(() => {})
const report = `${JSON.stringify({ folder: bed.folder, pids: [bed.holder.pid, machine.holder.pid, machine.daemon.pid, machine.sshd.pid] })}\n`
// Suspended processes must not keep anything in being either.
await machine.sshd.pause()
process.stdout.write(report)
setInterval(() => {}, 1000)
