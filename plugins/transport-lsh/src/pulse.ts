import { GatewayLink } from './gateway-link.js'
import { message } from './messages.js'

/** A link to the gateway that only asks the server whether it is there: for the round trip, and for keep-alive. */
export class Pulse {
  onAnswer: () => void = () => undefined
  onClose: () => void = () => undefined
  private link: GatewayLink | undefined
  private stopped = false

  static async open(path: string): Promise<Pulse> {
    const pulse = new Pulse()
    pulse.link = await GatewayLink.open(path, {
      message: (payload) => payload[0] === message.channelOpenFailure ? pulse.onAnswer() : undefined,
      closed: () => pulse.stopped ? undefined : pulse.onClose(),
    })
    return pulse
  }

  ask(): void {
    this.link?.ask(0)
  }

  /** In milliseconds, the shortest of a few; rejected if the link closes. */
  async roundTrip(times: number): Promise<number> {
    let shortest = Infinity
    for (let round = 0; round < times; round++) {
      const begin = performance.now()
      await new Promise<void>((resolve, reject) => {
        this.onAnswer = resolve
        this.onClose = () => reject(new Error('the gateway has closed'))
        this.ask()
      })
      shortest = Math.min(shortest, performance.now() - begin)
    }
    return shortest
  }

  stop(): void {
    this.stopped = true
    this.link?.end()
  }
}
