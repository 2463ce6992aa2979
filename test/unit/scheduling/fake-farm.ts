import { PassThrough, Readable } from 'node:stream'
import type { BuildMachine, Connection, RemoteExit } from '../../../src/plugin-api/index.js'
import type { Slot, SlotCount } from '../../../src/scheduling/slots.js'
import type { FakeClock } from './fake-clock.js'

/** How a machine behaves. Times in milliseconds. */
export interface Behaviour {
  /** Until the connection is there or has failed. */
  readonly connectMs?: number
  readonly connectError?: Error
  /** Comes with the connection in the end even if it was called off. */
  readonly deaf?: boolean
  readonly probeMs?: number
  readonly probeError?: Error
  /** What the probe prints; an idle machine with room by default. */
  readonly output?: string
  /** Slots that others hold. */
  readonly taken?: number
}

export function probeOutput({ load = '0.10', cores = 4, freeKiB = 50_000_000 } = {}): string {
  return [
    `%%load\n${load} 0.20 0.30 1/234 5678`,
    `%%cores\n${cores}`,
    `%%store\nFilesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 100000000 50000000 ${freeKiB} 50% /`,
    '%%pressure\nsome avg10=0.00 avg60=0.00 avg300=0.00 total=0',
    '%%end\n',
  ].join('\n')
}

/** Machines with our own interfaces only, which counts what is open. */
export class FakeFarm {
  readonly open = new Set<Connection>()
  readonly heldSlots = new Set<Slot>()
  readonly log: string[] = []

  constructor(
    readonly clock: FakeClock,
    readonly behaviours: Readonly<Record<string, Behaviour>>,
  ) {}

  readonly slots = {
    take: (machine: BuildMachine): Slot | undefined => {
      if (this.slots.count(machine).free <= 0) return undefined
      const slot: Slot = { machine, index: 0, file: `/slots/${machine.name}`, release: () => void this.heldSlots.delete(slot) }
      this.heldSlots.add(slot)
      return slot
    },
    count: (machine: BuildMachine): SlotCount => {
      const own = [...this.heldSlots].filter((slot) => slot.machine.name === machine.name).length
      return { total: machine.parallelBuilds, taken: [], free: machine.parallelBuilds - own - (this.#of(machine).taken ?? 0) }
    },
  }

  readonly connect = async (machine: BuildMachine, signal: AbortSignal): Promise<Connection> => {
    const { connectMs = 10, connectError, deaf = false } = this.#of(machine)
    this.log.push(`${this.clock.now() - 1_000_000} connect ${machine.name}`)
    await this.clock.delay(connectMs, deaf ? undefined : signal)
    if (connectError !== undefined) throw connectError
    const connection: Connection = {
      machine,
      roundTripMs: 1,
      details: {},
      closed: new Promise(() => {}),
      exec: (_command, context) => this.#exec(machine, context.signal),
      close: async () => void this.open.delete(connection),
    }
    this.open.add(connection)
    return connection
  }

  async #exec(machine: BuildMachine, signal: AbortSignal) {
    const { probeMs = 5, probeError, output = probeOutput() } = this.#of(machine)
    await this.clock.delay(probeMs, signal)
    if (probeError !== undefined) throw probeError
    const stdin = new PassThrough()
    stdin.resume()
    return { stdin, stdout: Readable.from([Buffer.from(output)]), stderr: Readable.from([]), exit: Promise.resolve<RemoteExit>({ code: 0, signal: null }) }
  }

  #of(machine: BuildMachine): Behaviour {
    return this.behaviours[machine.name] ?? {}
  }
}
