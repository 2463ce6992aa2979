import type { Consumer } from '../protocol/consumer.js'

/** Remembers with what the sequence itself failed: our own store, not the machine. */
export class WatchedSource implements AsyncIterable<Uint8Array> {
  failure: unknown

  constructor(private readonly source: AsyncIterable<Uint8Array>) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      yield* this.source
    } catch (error) {
      this.failure = error
      throw error
    }
  }
}

/** Remembers with what the consumer itself failed. */
export class WatchedSink {
  failure: unknown

  constructor(private readonly consumer: Consumer) {}

  readonly take = async (bytes: Uint8Array): Promise<void> => {
    try {
      await this.consumer(bytes)
    } catch (error) {
      this.failure = error
      throw error
    }
  }
}
