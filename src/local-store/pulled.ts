import { PassThrough } from 'node:stream'
import type { Consumer } from '../protocol/consumer.js'

/** Turns what pushes into what is pulled, with back-pressure: the producer waits while nobody asks. */
export async function* pulled(produce: (onData: Consumer) => Promise<void>): AsyncGenerator<Buffer> {
  const stream = new PassThrough({ highWaterMark: 256 * 1024 })
  const room = (): Promise<void> =>
    new Promise((resolve, reject) => {
      if (stream.destroyed) reject(new Error('the consumer has stopped'))
      stream.once('drain', resolve).once('close', resolve)
    })
  const produced = produce((bytes) => (stream.write(bytes) ? undefined : room())).then(
    () => stream.end(),
    (error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))),
  )
  try {
    for await (const chunk of stream) yield chunk as Buffer
  } finally {
    stream.destroy()
    await produced
  }
}
