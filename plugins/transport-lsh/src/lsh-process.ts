/**
 * One run of `lsh`, which must not outlive us, must never ask a person anything, and must get the private key without anybody else being able to read it. A small
 * shell sees to that: it runs in a session of its own (no terminal to ask on), passes the key on through a pipe, and, when our end of another pipe closes without
 * a word, as it does when we are killed, tidies up and ends the whole group.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Writable } from 'node:stream'

const shell = '/bin/sh'
const script = [
  // TMPDIR is the folder of this connection, which nobody else would remove then.
  'orphaned() { case "$TMPDIR" in */guix-offload-lsh-??????) rm -rf "$TMPDIR";; esac; kill -KILL 0; }',
  '{ read -r word <&4 || orphaned; } 3<&- >/dev/null 2>&1 &',
  'exec 4<&-',
  'cat <&3 | "$@" 3<&-',
].join('\n')

export interface LshOptions {
  readonly program: string
  readonly target: string
  readonly port: number
  readonly user: string
  readonly hostAcl: string
  readonly environment: Readonly<Record<string, string>>
  /** The private key in lsh's format. */
  readonly identity: Buffer
  /** As lsh names it; undefined: none. */
  readonly compression: string | undefined
  /** `verbose` tells how far it has come, `debug` prints every packet. */
  readonly messages: 'verbose' | 'debug'
}

export class LshProcess {
  /** Fulfilled when it has ended and everything it said has been passed on. */
  readonly ended: Promise<void>
  private readonly child: ChildProcess
  private over = false

  /** @param onLine - A line of its messages, without its name in front. */
  constructor(options: LshOptions, onLine: (line: string) => void) {
    const command = [
      options.program,
      `--${options.messages}`,
      '--strict-host-authentication',
      `--host-db=${options.hostAcl}`,
      '--identity=/dev/stdin',
      '--askpass=/bin/false',
      ...(options.compression === undefined ? [] : [`--compression=${options.compression}`]),
      `--user=${options.user}`,
      `--port=${options.port}`,
      '--gateway',
      '--nop',
      '--',
      options.target,
    ]
    this.child = spawn(shell, ['-c', script, 'sh', ...command], { detached: true, env: options.environment, stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] })
    const { stderr, stdio } = this.child
    const secret = stdio[3] as Writable
    // Not its standard input, which Node closes before anything can be said.
    const control = stdio[4] as Writable
    // It may end before it has read everything.
    for (const stream of [secret, control]) stream.on('error', () => undefined)
    secret.end(options.identity)
    const spoken = new Promise<void>((resolve) => {
      if (stderr === null) return resolve()
      createInterface({ input: stderr }).on('line', (line) => onLine(line.replace(/^lsh: /, ''))).once('close', () => resolve())
    })
    const exited = new Promise<void>((resolve) => {
      this.child.once('error', (error) => {
        onLine(error.message)
        resolve()
      })
      this.child.once('exit', () => resolve())
    })
    void exited.then(() => {
      this.over = true
      control.end('over\n')
    })
    this.ended = Promise.all([exited, spoken]).then(() => undefined)
  }

  /** Ends it at once; safe at any time. */
  kill(): void {
    const { pid } = this.child
    if (this.over || pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
  }
}
