/** The links between the master and its machines: each machine's is shared by its transfers, and the master's own by all of them. */
import type { Events } from './events.js'

interface Transfer {
  readonly machine: string
  readonly bytesPerSecond: number
  left: number
  readonly done: () => void
}

export class Network {
  #since = 0
  #plan = 0
  readonly #transfers = new Set<Transfer>()
  readonly #ofMachine = new Map<string, number>()

  constructor(
    readonly events: Events,
    /** Of the master's own link. */
    readonly bytesPerSecond: number,
  ) {}

  /** @returns what ends it early */
  carry(bytes: number, { name, bytesPerSecond }: { readonly name: string; readonly bytesPerSecond: number }, done: () => void): () => void {
    this.#look()
    const transfer: Transfer = { machine: name, bytesPerSecond, left: bytes, done }
    this.#add(transfer)
    this.#replan()
    return () => {
      this.#look()
      this.#remove(transfer)
      this.#replan()
    }
  }

  #add(transfer: Transfer): void {
    this.#transfers.add(transfer)
    this.#ofMachine.set(transfer.machine, (this.#ofMachine.get(transfer.machine) ?? 0) + 1)
  }

  #remove(transfer: Transfer): void {
    if (this.#transfers.delete(transfer)) this.#ofMachine.set(transfer.machine, (this.#ofMachine.get(transfer.machine) ?? 1) - 1)
  }

  #rate({ machine, bytesPerSecond }: Transfer): number {
    return Math.min(bytesPerSecond / (this.#ofMachine.get(machine) ?? 1), this.bytesPerSecond / this.#transfers.size)
  }

  #look(): void {
    const seconds = this.events.now - this.#since
    this.#since = this.events.now
    if (seconds > 0) for (const transfer of this.#transfers) transfer.left -= this.#rate(transfer) * seconds
  }

  #replan(): void {
    this.#plan += 1
    const plan = this.#plan
    let next = Infinity
    for (const transfer of this.#transfers) next = Math.min(next, Math.max(0, transfer.left) / this.#rate(transfer))
    if (next === Infinity) return
    this.events.after(next, () => {
      if (plan !== this.#plan) return
      this.#look()
      // A byte more or less: rounding must not keep a transfer alive for ever.
      const done = [...this.#transfers].filter(({ left }) => left < 1)
      for (const transfer of done) this.#remove(transfer)
      this.#replan()
      for (const transfer of done) transfer.done()
    })
  }
}
