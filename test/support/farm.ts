/** A master whose guix-daemon offloads through the program of this checkout, and build machines that trust it: what most integration tests start from. */
import { checkoutInMachine, nodeInMachine, TestBed, type MachineOptions } from '../testbed/bed.js'
import type { Machine } from '../testbed/machine.js'
import { writeMachinesScm, type MachineFields } from '../testbed/machines-scm.js'

export interface FarmOptions {
  readonly name?: string
  readonly master?: Partial<MachineOptions>
  /** One build machine for each; `fields` are its entry in machines.scm. */
  readonly builders: readonly (Partial<MachineOptions> & { readonly name: string; readonly fields?: MachineFields })[]
  /** Fields for all entries. */
  readonly fields?: MachineFields
}

/** The wrapper that the master's daemon has for `guix`. */
export const hookInMachine = '/usr/local/libexec/guix-offload-hook'

export class Farm implements AsyncDisposable {
  constructor(
    readonly bed: TestBed,
    readonly master: Machine,
    readonly builders: readonly Machine[],
  ) {}

  builder(name: string): Machine {
    const machine = this.builders.find((builder) => builder.name === name)
    if (machine === undefined) throw new Error(`No build machine ${name} in this farm`)
    return machine
  }

  /** Runs the program on the master, as the user whom the hook runs as. */
  run(args: readonly string[], options: Parameters<Machine['run']>[1] = {}) {
    return this.master.run([nodeInMachine, `${checkoutInMachine}/bin/run.js`, ...args], { user: this.master.daemonUser, reject: false, ...options })
  }

  /** What the hook has recorded, oldest first. */
  async history(): Promise<Record<string, unknown>[]> {
    const text = await this.master.sh('cat /var/guix/offload/history.jsonl 2>/dev/null || true')
    return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** Has the hooks forget which machines have failed, and how they were when they were last asked: what one test did to a machine must not keep the next one from using it. */
  async forgetFailures(): Promise<void> {
    await this.master.sh('find /var/guix/offload \\( -name health.json -o -name slow.json -o -name probe.json \\) -delete 2> /dev/null || true')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bed.down()
  }
}

export interface HookWrapper {
  /** Shell, run at every start of the hook. */
  readonly before?: string
  readonly nodeOptions?: readonly string[]
}

/** Makes a master of a machine that was brought up with `hook: hookInMachine`. Takes effect at the hook's next start. */
export const installHook = (machine: Machine, { before = '', nodeOptions = [] }: HookWrapper = {}) => {
  const lines = [
    '#!/bin/sh',
    '[ "$1" = offload ] || exec /usr/bin/guix "$@"',
    before,
    `exec ${[nodeInMachine, ...nodeOptions, `${checkoutInMachine}/bin/run.js`].join(' ')} "$@"`,
  ]
  return machine.writeFile(hookInMachine, `${lines.join('\n')}\n`, 0o755)
}

export async function startFarm({ name = 'farm', master: masterOptions = {}, builders: builderOptions, fields = {} }: FarmOptions): Promise<Farm> {
  const bed = await TestBed.up({ name })
  try {
    const [master, ...builders] = await Promise.all([
      bed.machine({ name: 'master', maxJobs: 0, hook: hookInMachine, ...masterOptions }),
      ...builderOptions.map(({ fields: _fields, ...options }) => bed.machine({ daemon: 'root', sshd: true, ...options })),
    ])
    await installHook(master)
    // One after another: each rewrites the master's acl.
    for (const builder of builders) await bed.authorize(master, builder)
    await writeMachinesScm(master, builders.map((builder, index) => [builder, builderOptions[index]?.fields ?? {}] as const), fields)
    return new Farm(bed, master, builders)
  } catch (error) {
    await bed.down()
    throw error
  }
}
