import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cacheFolder } from './cache.js'
import { enterCommand, type User } from './enter.js'
import { isAlive, sweep } from './owner.js'
import { ownerLogPath, readState, removeState } from './people-state.js'
import { signalProcess } from './processes.js'
import { waitFor } from './wait.js'

const usage = `A bed of real Guix machines, for trying things by hand. The first one is \`master\`:
it builds nothing itself and offloads to \`build1\`, \`build2\`, …

  npm run testbed -- up [COUNT]           COUNT machines (2 unless given), left running
        --guix 1.5.0|1.2.0  --daemon root|unprivileged  --hook PATH (in the machine, run by master's daemon as \`guix\`)
  npm run testbed -- list                 what runs
  npm run testbed -- sh NAME              a shell in a machine
  npm run testbed -- exec NAME -- COMMAND…
  npm run testbed -- down                 end it, without a trace

This checkout is /opt/guix-offload in every machine, Node is /opt/node/bin/node.
`

class UsageError extends Error {}

const running = async () => {
  const state = await readState()
  if (state === undefined) throw new Error('No bed is running: `npm run testbed -- up` starts one')
  return state
}

const up = async (args: string[]) => {
  const { positionals: [count = '2'], values } = parseArgs({
    args,
    allowPositionals: true,
    options: { guix: { type: 'string', default: '1.5.0' }, daemon: { type: 'string', default: 'root' }, hook: { type: 'string', default: '' } },
  })
  if (!/^[1-9]\d?$/.test(count)) throw new UsageError(`Not a number of machines: ${count}`)
  if (!['1.5.0', '1.2.0'].includes(values.guix)) throw new UsageError(`No machines with Guix ${values.guix}: 1.5.0 or 1.2.0`)
  if (!['root', 'unprivileged'].includes(values.daemon)) throw new UsageError(`Not a way to run the daemon: ${values.daemon}; root or unprivileged`)
  if ((await readState()) !== undefined) throw new Error('A bed is running already: `npm run testbed -- down` ends it')
  await mkdir(cacheFolder(), { recursive: true })
  const log = await open(ownerLogPath(), 'w')
  const program = fileURLToPath(new URL('people-owner.ts', import.meta.url))
  const command = [...process.execArgv, program, count, values.guix, values.daemon, values.hook]
  const owner = spawn(process.execPath, command, { detached: true, stdio: ['ignore', log.fd, log.fd] })
  await log.close()
  // Roots may have to be built first.
  await waitFor('the bed to come up', async () => {
    if (owner.exitCode !== null) throw new Error(`The bed did not come up:\n${await readFile(ownerLogPath(), 'utf8')}`)
    return readState()
  }, 600_000)
  owner.unref()
  await list()
}

const list = async () => {
  const { machines } = await running()
  for (const { name, address, guix, daemon } of machines) process.stdout.write(`${name}\t${address}\tGuix ${guix}\tdaemon: ${daemon}\n`)
}

const enter = async (name: string | undefined, command: readonly string[], user: User = 'root') => {
  const { machines } = await running()
  const machine = machines.find((candidate) => candidate.name === name)
  if (machine === undefined || !(await isAlive(machine.holder))) {
    throw new UsageError(`No machine ${name ?? ''}: there are ${machines.map((each) => each.name).join(', ')}`)
  }
  const env = process.env.TERM === undefined ? {} : { TERM: process.env.TERM }
  const [file = 'nsenter', ...args] = enterCommand(machine.holder.pid, command, { user, env, cwd: '/root' })
  const [code] = (await once(spawn(file, args, { stdio: 'inherit' }), 'exit')) as [number | null]
  process.exitCode = code ?? 1
}

const down = async () => {
  const { owner } = await running()
  signalProcess(owner.pid, 'SIGTERM')
  await waitFor('the bed to end', async () => !(await isAlive(owner)), 20_000).catch(() => signalProcess(owner.pid, 'SIGKILL'))
  await removeState()
  await sweep()
}

const main = async ([command, ...args]: string[]) => {
  switch (command) {
    case 'up': return up(args)
    case 'list': return list()
    case 'sh': return enter(args[0], ['bash', '-l'])
    case 'exec': {
      const words = args.slice(args[1] === '--' ? 2 : 1)
      if (words.length === 0) throw new UsageError('exec NAME -- COMMAND…')
      return enter(args[0], words)
    }
    case 'down': return down()
    case undefined:
    case 'help':
    case '--help': return void process.stdout.write(usage)
    default: throw new UsageError(`No command ${command}\n\n${usage}`)
  }
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`testbed: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
