import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { programOf } from './enter.js'
import { processTree, signalProcess } from './processes.js'
import { waitFor } from './wait.js'

export interface ServiceOptions {
  /** For messages: `guix-daemon of b1`. */
  readonly name: string
  /** The whole command line as enterCommand makes it, made anew at every start. */
  readonly command: () => readonly string[]
  /** On the host; what the program prints on either stream is appended. */
  readonly logPath: string
  /** Before every start. */
  readonly prepare?: () => Promise<unknown>
  /** True once the program serves; `log` is what it printed since this start. */
  readonly ready: (log: string) => boolean | Promise<boolean>
}

/** A daemon in a machine that tests start, stop, kill and suspend. Signals go to the program itself, never to the nsenter in front of it. */
export class Service {
  #child: ChildProcess | undefined
  #pid: number | undefined

  constructor(readonly options: ServiceOptions) {}

  get logPath() {
    return this.options.logPath
  }

  /** Everything printed so far, over all starts. */
  async log() {
    return readFile(this.options.logPath, 'utf8').catch(() => '')
  }

  get running() {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** The program's process id on the host. */
  get pid() {
    if (this.#pid === undefined || !this.running) throw new Error(`${this.options.name} is not running`)
    return this.#pid
  }

  async start() {
    if (this.running) return
    await this.options.prepare?.()
    const before = (await this.log()).length
    const [file = 'nsenter', ...args] = this.options.command()
    const log = openSync(this.options.logPath, 'a')
    const child = spawn(file, args, { stdio: ['ignore', log, log], detached: true })
    closeSync(log)
    child.unref()
    this.#child = child
    await waitFor(`${this.options.name} to serve (log: ${this.options.logPath})`, async () => {
      const printed = (await this.log()).slice(before)
      if (!this.running) throw new Error(`${this.options.name} ended at once:\n${printed.trim()}`)
      return this.options.ready(printed)
    })
    this.#pid = await programOf(child.pid ?? -1)
  }

  /** SIGTERM to the program; whatever it leaves behind (the processes of its connections) is killed. */
  async stop() {
    await this.#end('SIGTERM')
  }

  /** SIGKILL, to the program and everything it started, at once. */
  async kill() {
    await this.#end('SIGKILL')
  }

  async restart() {
    await this.stop()
    await this.start()
  }

  /** SIGSTOP to the program and what it started: connections stay open, nobody answers. */
  async pause() {
    for (const pid of await processTree(this.pid)) signalProcess(pid, 'SIGSTOP')
  }

  async resume() {
    for (const pid of await processTree(this.pid)) signalProcess(pid, 'SIGCONT')
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL') {
    const child = this.#child
    if (child === undefined || !this.running) return
    const exited = once(child, 'exit')
    child.ref()
    const tree = await processTree(this.pid)
    if (signal === 'SIGTERM') {
      signalProcess(this.pid, 'SIGTERM')
      for (const pid of tree) signalProcess(pid, 'SIGCONT')
      const gone = await Promise.race([exited.then(() => true), new Promise<false>((resolve) => setTimeout(resolve, 5000, false).unref())])
      if (!gone) signalProcess(this.pid, 'SIGKILL')
      await exited
      for (const pid of tree.slice(1)) signalProcess(pid, 'SIGKILL')
    } else {
      for (const pid of tree) signalProcess(pid, 'SIGKILL')
      await exited
    }
  }
}
