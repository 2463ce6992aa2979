import { spawn } from 'node:child_process'
import type { BuildMachine, Connection, RemoteExit } from '../../../src/plugin-api/index.js'

/** A connection to nowhere but here: commands are real processes of this machine. `environment` replaces theirs. */
export function localConnection(machine: BuildMachine, environment: NodeJS.ProcessEnv = { PATH: '/usr/bin:/bin' }, shell: readonly string[] = []): Connection {
  return {
    machine,
    roundTripMs: 0,
    details: {},
    closed: new Promise(() => {}),
    async exec(command, { signal }) {
      const [program = '', ...words] = [...shell, ...(shell.length > 0 ? command.slice(1) : command)]
      const child = spawn(program, words, { env: environment, signal, killSignal: 'SIGKILL' })
      child.on('error', () => {})
      const exit = new Promise<RemoteExit>((resolve) => child.on('close', (code, name) => resolve({ code, signal: name?.slice(3) ?? null })))
      return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, exit }
    },
    close: async () => {},
  }
}
