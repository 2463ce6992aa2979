/** Less than this is worth copying to save a write; the rest is passed on as it is. */
const SMALL = 16 * 1024
const FULL = 64 * 1024

/** Merges runs of small chunks, so that thousands of tokens do not become thousands of writes. Order and content stay. */
export async function* coalesce(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let pending: Buffer[] = []
  let size = 0
  const takePending = (): Buffer => {
    const merged = pending.length === 1 && pending[0] !== undefined ? pending[0] : Buffer.concat(pending)
    pending = []
    size = 0
    return merged
  }
  for await (const chunk of chunks) {
    if (chunk.length >= SMALL) {
      if (size > 0) yield takePending()
      yield chunk
    } else {
      pending.push(chunk)
      size += chunk.length
      if (size >= FULL) yield takePending()
    }
  }
  if (size > 0) yield takePending()
}
