/**
 * How much may be under way to the server. lsh gives its connection up ("peer not responding") when more than 110 kB wait to be sent, whatever the windows of the
 * channels allow together, and tells nobody how much waits. So what has been sent on any channel counts until it is known to have arrived: because the command has taken
 * it, or, where commands do not and others have to wait for them, because the server has answered a question sent behind it.
 */
export interface Spender {
  /** There is room again. */
  resume(): void
  /** Others wait: find out whether what it has spent has arrived. */
  account(): void
}

export class SendBudget {
  private readonly spenders = new Set<Spender>()
  private short = false

  constructor(private free = 80_000) {}

  join(spender: Spender): void {
    this.spenders.add(spender)
  }

  /** @param unaccounted - What it has spent and not given back. */
  leave(spender: Spender, unaccounted: number): void {
    this.spenders.delete(spender)
    this.giveBack(unaccounted)
  }

  /** Takes up to so many bytes; if there are none, `resume` will be called once there are. */
  take(wanted: number): number {
    const granted = Math.min(wanted, this.free)
    this.free -= granted
    if (granted === 0 && !this.short) {
      this.short = true
      for (const spender of this.spenders) spender.account()
    }
    return granted
  }

  giveBack(bytes: number): void {
    this.free += bytes
    if (!this.short || this.free === 0) return
    this.short = false
    for (const spender of [...this.spenders]) spender.resume()
  }
}
