/**
 * How much may be under way to the server. lsh gives its connection up ("peer not responding") when more than 110 kB wait to be sent, whatever the windows of the
 * channels allow together, and tells nobody how much waits. So what has been sent on any channel counts until the server has answered a question sent behind it.
 */
export class SendBudget {
  private readonly waiting = new Set<() => void>()

  constructor(private free = 80_000) {}

  /** Takes up to so many bytes. */
  take(wanted: number): number {
    const granted = Math.max(0, Math.min(wanted, this.free))
    this.free -= granted
    return granted
  }

  giveBack(bytes: number): void {
    this.free += bytes
    const woken = [...this.waiting]
    this.waiting.clear()
    for (const wake of woken) wake()
  }

  /** Calls back once, when there is room again. */
  whenFree(wake: () => void): void {
    this.waiting.add(wake)
  }

  forget(wake: () => void): void {
    this.waiting.delete(wake)
  }
}
